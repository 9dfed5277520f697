"""The process that Terraform starts: go-plugin's handshake, then protocol 5 over gRPC on a socket.

The certificate is made when the mirror is, so that a start costs no key: Terraform starts this many times.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from standin import planning
from standin.api import Api
from standin.values import Schema, Values, conform, decode, encode, without_unknown
from standin.wire import RPCS, M

_NESTING = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}
_ERROR = 1
_LARGEST = 64 << 20


class Provider:
    """The service of one provider: its schemas, and what its types do."""

    def __init__(
        self, name: str, document: Schema, resources: dict[str, Any], sources: dict[str, Any], configure: Any
    ) -> None:
        self.api = Api(name)
        self.block: Schema = document.get("provider", {"block": {}})["block"]
        self.schemas = document["resource_schemas"]
        self.resources = resources
        self.sources = sources
        self._configure = configure

    # --- schemas ------------------------------------------------------------------------------------------

    def get_schema(self, request: Any) -> Any:
        response = M["SchemaResponse"]()
        response.provider.block.CopyFrom(_block(self.block))
        for name, schema in self.schemas.items():
            response.resource_schemas[name].version = schema.get("version", 0)
            response.resource_schemas[name].block.CopyFrom(_block(schema["block"]))
        for name, source in self.sources.items():
            response.data_source_schemas[name].block.CopyFrom(_block(source.schema))
        return response

    def prepare(self, request: Any) -> Any:
        return M["PrepareResponse"](prepared_config=request.config)

    def configure(self, request: Any) -> Any:
        self.api.config = without_unknown(decode(request.config)) or {}
        return _refused(M["ValidateResponse"](), self._configure(self.api))

    def stop(self, request: Any) -> Any:
        return M["StopResponse"]()

    # --- configurations and states ------------------------------------------------------------------------

    def validate_resource(self, request: Any) -> Any:
        found = self.resources[request.type_name].validate(decode(request.config))
        return _refused(M["ValidateResponse"](), found)

    def validate_data(self, request: Any) -> Any:
        return M["ValidateResponse"]()

    def upgrade(self, request: Any) -> Any:
        response = M["UpgradeResponse"]()
        state = json.loads(request.raw_state.json)
        block = self.resources[request.type_name].schema
        response.upgraded_state.msgpack = encode(conform(block, state, lenient=True))
        return response

    def read_data(self, request: Any) -> Any:
        source = self.sources[request.type_name]
        response = M["DataResponse"]()
        value = source.read(self.api, decode(request.config))
        response.state.msgpack = encode(conform(source.schema, value, request.type_name))
        return response

    # --- the life of a resource ---------------------------------------------------------------------------

    def read(self, request: Any) -> Any:
        resource = self.resources[request.type_name]
        response = M["ReadResponse"](private=request.private)
        state = decode(request.current_state)
        found = resource.read(self.api, state) if state is not None else None
        response.new_state.msgpack = encode(conform(resource.schema, found, request.type_name))
        return response

    def plan(self, request: Any) -> Any:
        # As every provider on the older SDK says, so that a default may stand where nothing is configured.
        response = M["PlanResponse"](planned_private=request.prior_private, legacy_type_system=True)
        proposed = decode(request.proposed_new_state)
        if proposed is None:
            response.planned_state.msgpack = encode(None)
            return response
        resource = self.resources[request.type_name]
        prior = decode(request.prior_state)
        planned, replaced = planning.plan(resource, self.api, prior, proposed)
        response.planned_state.msgpack = encode(conform(resource.schema, planned, request.type_name))
        for name in replaced:
            response.requires_replace.add().steps.add().attribute_name = name
        return response

    def apply(self, request: Any) -> Any:
        resource = self.resources[request.type_name]
        prior, planned = decode(request.prior_state), decode(request.planned_state)
        response = M["ApplyResponse"](private=request.planned_private, legacy_type_system=True)
        if planned is None:
            resource.delete(self.api, prior)
            response.new_state.msgpack = encode(None)
            return response
        known = without_unknown(planned)
        made = prior is None
        state = resource.create(self.api, known) if made else resource.update(self.api, prior, known)
        whole: Values = conform(resource.schema, without_unknown(state), request.type_name) or {}
        # What was made is kept in the state even where it is not as promised: as real providers do.
        response.new_state.msgpack = encode(whole)
        return _refused(response, planning.broken_promises(resource, planned, whole))

    def import_state(self, request: Any) -> Any:
        resource = self.resources[request.type_name]
        response = M["ImportResponse"]()
        imported = response.imported_resources.add(type_name=request.type_name)
        state = conform(resource.schema, resource.import_state(self.api, request.id), request.type_name)
        imported.state.msgpack = encode(state)
        return response


def _block(block: Schema) -> Any:
    message = M["Block"]()
    for name, schema in sorted(block.get("attributes", {}).items()):
        flags = ("required", "optional", "computed", "sensitive", "deprecated", "write_only")
        message.attributes.add(
            name=name,
            type=json.dumps(schema["type"]).encode(),
            **{flag: True for flag in flags if schema.get(flag)},
        )
    for name, nested in sorted(block.get("block_types", {}).items()):
        added = message.block_types.add(
            type_name=name,
            nesting=_NESTING[nested["nesting_mode"]],
            min_items=nested.get("min_items", 0),
            max_items=nested.get("max_items", 0),
        )
        added.block.CopyFrom(_block(nested["block"]))
    return message


def _refused(response: Any, problems: list[str]) -> Any:
    for problem in problems:
        response.diagnostics.add(severity=_ERROR, summary=problem, detail="said by the stand-in provider")
    return response


def _answering(method: Any, response_class: Any) -> Any:
    def answer(request: Any, context: Any) -> Any:
        try:
            return method(request)
        except Exception as error:  # noqa: BLE001 - any mistake of a handler is told by Terraform, as its error
            return _refused(response_class(), [f"{type(error).__name__}: {error}"])

    return answer


def serve(provider: Provider, certificate: Path) -> None:
    """Speak with the Terraform that started this process, until it says that it is done."""
    over, parent = threading.Event(), os.getppid()

    def shut_down(request: bytes, context: Any) -> bytes:
        over.set()
        return b""

    methods = {
        name: grpc.unary_unary_rpc_method_handler(
            _answering(getattr(provider, method), M[answer]),
            request_deserializer=M[asked].FromString,
            response_serializer=M[answer].SerializeToString,
        )
        for name, (method, asked, answer) in RPCS.items()
    }
    server = grpc.server(
        ThreadPoolExecutor(8),
        options=[("grpc.max_receive_message_length", _LARGEST), ("grpc.max_send_message_length", _LARGEST)],
    )
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler("tfplugin5.Provider", methods),
            grpc.method_handlers_generic_handler(
                "plugin.GRPCController", {"Shutdown": grpc.unary_unary_rpc_method_handler(shut_down)}
            ),
        )
    )
    pem = certificate.read_bytes()
    with tempfile.TemporaryDirectory(prefix="plugin") as folder:
        path = f"{folder}/s"
        server.add_secure_port(f"unix:{path}", grpc.ssl_server_credentials([(pem, pem)]))
        server.start()
        body = pem.split(b"-----BEGIN CERTIFICATE-----")[1].split(b"-----END")[0]
        der = base64.b64decode(body)
        shown = base64.b64encode(der).rstrip(b"=").decode()
        print(f"1|5|unix|{path}|grpc|{shown}", flush=True)
        while not over.wait(1):
            if os.getppid() != parent:  # Terraform has been killed
                return
        server.stop(0.1).wait()


def main(name: str, schema: str, certificate: str, handlers: str | None) -> None:
    """Serve the provider ``name``: ``handlers`` is the module with its RESOURCES, DATA_SOURCES, configure."""
    if os.environ.get("TF_PLUGIN_MAGIC_COOKIE") is None:
        sys.exit(f"This is a stand-in for the provider {name}; Terraform starts it.")
    from standin.loading import provider_of

    serve(provider_of(name, Path(schema), handlers), Path(certificate))
