"""The messages of Terraform's plugin protocol 5, and those of go-plugin that Terraform sends.

Numbers and types are those of https://github.com/hashicorp/terraform/blob/main/docs/plugin-protocol, as far
as Terraform 1.6 to 1.12 and OpenTofu use them; what a newer one adds is skipped on reading, as protobuf does.
Nested messages have flat names here, which changes nothing on the wire.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# A field is «name:type», numbered by its place; * repeats it, % makes it a map from strings.
_MESSAGES = {
    "Empty": "",
    "DynamicValue": "msgpack:bytes json:bytes",
    "Diagnostic": "severity:int64 summary:string detail:string attribute:AttributePath",
    "Step": "attribute_name:string element_key_string:string element_key_int:int64",
    "AttributePath": "steps:*Step",
    "RawState": "json:bytes flatmap:%string",
    "Attribute": (
        "name:string type:bytes description:string required:bool optional:bool computed:bool sensitive:bool"
        " description_kind:int64 deprecated:bool write_only:bool"
    ),
    "NestedBlock": "type_name:string block:Block nesting:int64 min_items:int64 max_items:int64",
    "Block": "version:int64 attributes:*Attribute block_types:*NestedBlock description:string",
    "Schema": "version:int64 block:Block",
    "Capabilities": "plan_destroy:bool get_provider_schema_optional:bool move_resource_state:bool",
    "SchemaResponse": (
        "provider:Schema resource_schemas:%Schema data_source_schemas:%Schema diagnostics:*Diagnostic"
        " provider_meta:Schema server_capabilities:Capabilities"
    ),
    "PrepareRequest": "config:DynamicValue",
    "PrepareResponse": "prepared_config:DynamicValue diagnostics:*Diagnostic",
    "UpgradeRequest": "type_name:string version:int64 raw_state:RawState",
    "UpgradeResponse": "upgraded_state:DynamicValue diagnostics:*Diagnostic",
    "ValidateRequest": "type_name:string config:DynamicValue",
    "ValidateResponse": "diagnostics:*Diagnostic",
    "ConfigureRequest": "terraform_version:string config:DynamicValue",
    "ReadRequest": "type_name:string current_state:DynamicValue private:bytes",
    "ReadResponse": "new_state:DynamicValue diagnostics:*Diagnostic private:bytes",
    "PlanRequest": (
        "type_name:string prior_state:DynamicValue proposed_new_state:DynamicValue config:DynamicValue"
        " prior_private:bytes"
    ),
    "PlanResponse": (
        "planned_state:DynamicValue requires_replace:*AttributePath planned_private:bytes"
        " diagnostics:*Diagnostic legacy_type_system:bool"
    ),
    "ApplyRequest": (
        "type_name:string prior_state:DynamicValue planned_state:DynamicValue config:DynamicValue"
        " planned_private:bytes"
    ),
    "ApplyResponse": ("new_state:DynamicValue private:bytes diagnostics:*Diagnostic legacy_type_system:bool"),
    "ImportRequest": "type_name:string id:string",
    "Imported": "type_name:string state:DynamicValue private:bytes",
    "ImportResponse": "imported_resources:*Imported diagnostics:*Diagnostic",
    "DataRequest": "type_name:string config:DynamicValue",
    "DataResponse": "state:DynamicValue diagnostics:*Diagnostic",
    "StopResponse": "error:string",
}

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bytes": _Field.TYPE_BYTES,
    "string": _Field.TYPE_STRING,
    "bool": _Field.TYPE_BOOL,
    "int64": _Field.TYPE_INT64,
}
_PACKAGE = "standin"


def _typed(field: Any, name: str) -> None:
    if name in _SCALARS:
        field.type = _SCALARS[name]
    else:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{name}"


def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="standin.proto", package=_PACKAGE, syntax="proto2")
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for number, field_text in enumerate(fields.split(), start=1):
            name, kind = field_text.split(":")
            field = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
            if kind.startswith("%"):
                entry_name = "".join(part.capitalize() for part in name.split("_")) + "Entry"
                entry = message.nested_type.add(name=entry_name)
                entry.options.map_entry = True
                key = entry.field.add(name="key", number=1, label=_Field.LABEL_OPTIONAL)
                _typed(key, "string")
                value = entry.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL)
                _typed(value, kind[1:])
                _typed(field, f"{message_name}.{entry_name}")
            else:
                _typed(field, kind.removeprefix("*"))
            if kind[0] in "%*":
                field.label = _Field.LABEL_REPEATED
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }


M = _messages()
"""The message classes, by their names here."""

RPCS = {
    "GetSchema": ("get_schema", "Empty", "SchemaResponse"),
    "PrepareProviderConfig": ("prepare", "PrepareRequest", "PrepareResponse"),
    "ValidateResourceTypeConfig": ("validate_resource", "ValidateRequest", "ValidateResponse"),
    "ValidateDataSourceConfig": ("validate_data", "ValidateRequest", "ValidateResponse"),
    "UpgradeResourceState": ("upgrade", "UpgradeRequest", "UpgradeResponse"),
    "Configure": ("configure", "ConfigureRequest", "ValidateResponse"),
    "ReadResource": ("read", "ReadRequest", "ReadResponse"),
    "PlanResourceChange": ("plan", "PlanRequest", "PlanResponse"),
    "ApplyResourceChange": ("apply", "ApplyRequest", "ApplyResponse"),
    "ImportResourceState": ("import_state", "ImportRequest", "ImportResponse"),
    "ReadDataSource": ("read_data", "DataRequest", "DataResponse"),
    "Stop": ("stop", "Empty", "StopResponse"),
}
"""Each method of the service: what answers it, and the messages it takes and gives."""
