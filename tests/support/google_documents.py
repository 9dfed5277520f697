"""Google's discovery documents, and what requests and answers are held to by them.

google-api-python-client ships them as Google publishes them (https://www.googleapis.com/discovery/v1/apis). A
service of the tests' own is held to them on both sides: the method must be there, its query parameters known,
the body of the request and that of the answer fit, unknown fields refused. OAuth2's token endpoint
(https://oauth2.googleapis.com/token) is in no document: RFC 6749 says what it takes.
"""

from __future__ import annotations

import email.parser
import functools
import importlib.resources
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import jsonschema
from google_forms import STRICTER
from small_server import Answer, Asked
from unfit import Problems

Body = dict[str, Any]
_OK, _FIRST_ERROR = 200, 300
_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$"
_FORMATS: dict[str, str] = {
    "byte": r"^[A-Za-z0-9+/_-]*={0,2}$",
    "date": r"^\d{4}-\d\d-\d\d$",
    "date-time": _TIME,
    "google-datetime": _TIME,
    "google-duration": r"^-?\d+(\.\d{1,9})?s$",
    "int64": r"^-?\d+$",
    "uint64": r"^\d+$",
}
_INSIDE = {"GoogleIdentityStsV1ExchangeTokenRequest": {"options": "GoogleIdentityStsV1Options"}}
"""Fields whose text is a document of its own, as their descriptions say."""
_ARGUMENTS = {"boolean": r"(?i)true|false", "integer": r"-?\d+"}
_RANGES = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1)}


@dataclass(frozen=True)
class Method:
    """One method of an API, as its document has it."""

    api: str
    id: str
    verb: str
    paths: tuple[re.Pattern[str], ...]
    parameters: Mapping[str, Body]
    """Those that stand in the query, the ones that all methods have among them."""
    request: str | None
    response: str | None

    def unfit_query(self, query: Mapping[str, str]) -> Iterator[str]:
        """What is wrong with the parameters of a request."""
        for name, value in query.items():
            known = self.parameters.get(name)
            if known is None:
                yield f"{self.id} has no parameter {name!r}"
                continue
            pattern = _FORMATS.get(known.get("format", ""), _ARGUMENTS.get(known["type"], ""))
            allowed = known.get("enum", (value,))
            if value not in allowed or (pattern and not re.fullmatch(pattern.strip("^$"), value)):
                yield f"the parameter {name!r} of {self.id} cannot be {value!r}"
        for name, known in self.parameters.items():
            if known.get("required") and name not in query:
                yield f"{self.id} needs the parameter {name!r}"

    def unfit_request(self, asked: Asked) -> Iterator[str]:
        """What is wrong with the body of a request."""
        upload = asked.query.get("uploadType")
        if upload == "media" or (upload == "resumable" and not asked.body):
            return  # bytes alone, or an upload of which nothing is told but its name
        try:
            body = _sent(asked)
        except ValueError:
            yield f"the body for {self.id} is no JSON"
            return
        if self.request is None or body is None:
            if (self.request is None) != (body is None):
                yield f"{self.id} {'takes no' if body is not None else 'needs a'} body"
            return
        yield from self._unfit_sent(self.request, body, f"request of {self.id}")
        for name, schema in _INSIDE.get(self.request, {}).items():
            if name in body:
                text = unquote(body[name])  # google-auth quotes it once more than the form does
                yield from self._unfit_sent(schema, json.loads(text), f"{name} of {self.id}")

    def _unfit_sent(self, schema: str, body: Any, where: str) -> Iterator[str]:
        return _unfit(_validator(self.api, schema, self.id, self.verb), body, where)

    def unfit_answer(self, asked: Asked, answer: Answer) -> Iterator[str]:
        """What is wrong with the body of an answer."""
        media = asked.query.get("alt") == "media" or asked.path.startswith("/download/")
        if media or "Location" in answer.headers:
            return  # an object's bytes, or where to go on with an upload
        body = json.loads(answer.body) if answer.body and isinstance(answer.body, bytes) else answer.body
        if self.response is None:
            if body:
                yield f"{self.id} answers without a body"
        else:
            yield from _unfit(_validator(self.api, self.response), body, f"answer of {self.id}")


@dataclass
class Documents:
    """What a test's service answers for: some APIs. ``elsewhere`` are paths that no document tells of."""

    apis: tuple[str, ...]
    elsewhere: tuple[str, ...] = ()
    problems: Problems = field(default_factory=Problems)

    def held(self, asked: Asked, handle: Callable[[Asked], Answer]) -> Answer:
        """The answer of ``handle``, or 400 with a note for :meth:`settle` if it or the request is unfit."""
        if any(re.fullmatch(path, asked.path) for path in self.elsewhere) or "upload_id" in asked.query:
            return handle(asked)  # `upload_id`: the address of an upload is the service's own affair
        method = find_method(self.apis, asked.method, asked.path)
        if method is None:
            return self._refused([f"no document has {asked.method} {asked.path}"])
        wrong = [*method.unfit_query(asked.query), *method.unfit_request(asked)]
        if wrong:
            return self._refused(wrong)
        answer = handle(asked)
        if _OK <= answer.status < _FIRST_ERROR:
            wrong = [*method.unfit_answer(asked, answer)]
        return self._refused(wrong) if wrong else answer

    def settle(self) -> None:
        """See :class:`unfit.Problems`."""
        self.problems.settle()

    def _refused(self, wrong: list[str]) -> Answer:
        self.problems.found.extend(wrong)
        message = "; ".join(wrong)
        return Answer(400, {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}})


def find_method(apis: tuple[str, ...], verb: str, path: str) -> Method | None:
    """The method for a request, whose path is still quoted; None where no document has one."""
    path = path.replace("%3A", ":")
    for api in apis:
        for method in _methods(api):
            if method.verb == verb and any(pattern.fullmatch(path) for pattern in method.paths):
                return method
    return None


def json_schema(api: str, schema: str, sent_to: str | None = None, verb: str = "") -> Body:
    """A schema of a discovery document as JSON Schema.

    ``sent_to`` is the method that it is sent to, whose required fields are then required; without one it is
    of an answer. To be required is said in annotations, and mostly in the first word of a description.
    """
    waiting, definitions = [schema], {}
    while waiting:
        name = waiting.pop()
        if name not in definitions:
            definitions[name] = _converted(_document(api)["schemas"][name], sent_to, verb)
            waiting += re.findall(r'"#/\$defs/(\w+)"', json.dumps(definitions[name]))
    return {"$ref": f"#/$defs/{schema}", "$defs": definitions}


# --- documents ---------------------------------------------------------------------------------------------


@functools.cache
def _document(api: str) -> Body:
    folder = importlib.resources.files("googleapiclient") / "discovery_cache" / "documents"
    document: Body = json.loads((folder / f"{api}.json").read_text("utf-8"))
    return document


@functools.cache
def _methods(api: str) -> tuple[Method, ...]:
    document = _document(api)
    return tuple(_method(api, document, one) for one in _described(document))


def _described(holder: Body) -> Iterator[Body]:
    yield from holder.get("methods", {}).values()
    for below in holder.get("resources", {}).values():
        yield from _described(below)


def _method(api: str, document: Body, told: Body) -> Method:
    parameters = told.get("parameters", {})
    paths = [f"/{document['servicePath']}{told['path']}"]
    if told.get("supportsMediaDownload"):
        paths.append(f"/download{paths[0]}")
    paths += [one["path"] for one in told.get("mediaUpload", {}).get("protocols", {}).values()]
    asked = {name: one for name, one in parameters.items() if one["location"] == "query"}
    return Method(
        api,
        told["id"],
        told["httpMethod"],
        tuple(_pattern(path, parameters) for path in paths),
        {**document["parameters"], **asked},
        told.get("request", {}).get("$ref"),
        told.get("response", {}).get("$ref"),
    )


def _pattern(path: str, parameters: Body) -> re.Pattern[str]:
    """A path with ``{name}`` or ``{+name}`` in it; the latter may have slashes, as its pattern says."""
    parts = re.split(r"\{(\+?[\w$]+)\}", path)
    found = []
    for number, part in enumerate(parts):
        if number % 2 == 0:
            found.append(re.escape(part))
        elif part.startswith("+"):
            told = parameters[part[1:]].get("pattern", "^.+$")
            found.append(told.removeprefix("^").removesuffix("$").replace("[^/]", "[^/:]"))
        else:
            found.append("[^/]+")
    return re.compile("".join(found))


# --- schemas -----------------------------------------------------------------------------------------------


@functools.cache
def _validator(api: str, schema: str, sent_to: str | None = None, verb: str = "") -> Any:
    form = json_schema(api, schema, sent_to, verb)
    if sent_to is not None:
        form["allOf"] = [STRICTER.get(f"{api.partition('.')[0]}.{schema}", {})]
    return jsonschema.Draft202012Validator(form)


def _unfit(validator: Any, body: Any, where: str) -> Iterator[str]:
    for error in validator.iter_errors(body):
        yield f"{where}: {error.json_path}: {error.message}"


def _converted(told: Body, sent_to: str | None, verb: str) -> Body:
    if "$ref" in told:
        return {"$ref": f"#/$defs/{told['$ref']}"}
    return _KINDS[told["type"]](told, sent_to, verb)


def _object(told: Body, sent_to: str | None, verb: str) -> Body:
    form: Body = {"type": "object", "additionalProperties": False}
    if "additionalProperties" in told:
        value = _converted(told["additionalProperties"], sent_to, verb)
        # To patch a map is to take what is null out of it.
        form["additionalProperties"] = _or_null(value) if verb == "PATCH" else value
    fields = told.get("properties", {})
    form["properties"] = {name: _converted(one, sent_to, verb) for name, one in fields.items()}
    if sent_to is None:
        return form
    form["required"] = [name for name, one in fields.items() if _is_required(one, sent_to, verb)]
    for name in fields.keys() - form["required"]:  # null is the same as no field at all
        form["properties"][name] = _or_null(form["properties"][name])
    return form


def _or_null(form: Body) -> Body:
    if "type" not in form:  # a reference, or anything at all
        return {"anyOf": [form, {"type": "null"}]} if form else form
    kinds = form["type"] if isinstance(form["type"], list) else [form["type"]]
    allowed = {"enum": [*form["enum"], None]} if "enum" in form else {}
    return {**form, "type": [*kinds, "null"], **allowed}  # what else is said is said of other types


def _is_required(told: Body, sent_to: str, verb: str) -> bool:
    said = re.match(r"required[.:]", told.get("description", ""), re.IGNORECASE) and verb != "PATCH"
    return bool(said) or sent_to in told.get("annotations", {}).get("required", ())


def _array(told: Body, sent_to: str | None, verb: str) -> Body:
    return {"type": "array", "items": _converted(told["items"], sent_to, verb)}


def _text(told: Body, sent_to: str | None, _verb: str) -> Body:
    form: Body = {"type": "string"}
    if told.get("format") in {"int64", "uint64"} and sent_to is not None:
        form["type"] = ["string", "integer"]  # stands as text, and is taken as a number too
    patterns = [one for one in (told.get("pattern"), _FORMATS.get(told.get("format", ""))) if one]
    if patterns:
        form["allOf"] = [{"pattern": one} for one in patterns]
    if "enum" in told:
        form["enum"] = told["enum"]
    return form


def _integer(told: Body, _sent_to: str | None, _verb: str) -> Body:
    low, high = _RANGES[told.get("format", "int32")]
    return {"type": "integer", "minimum": low, "maximum": high}


_KINDS: dict[str, Callable[[Body, str | None, str], Body]] = {
    "any": lambda _told, _sent_to, _verb: {},
    "array": _array,
    "boolean": lambda _told, _sent_to, _verb: {"type": "boolean"},
    "integer": _integer,
    "number": lambda _told, _sent_to, _verb: {"type": "number"},
    "object": _object,
    "string": _text,
}


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def _sent(asked: Asked) -> Any:
    """The body of a request as it would be in JSON; None without one."""
    kind = asked.headers.get("content-type", "")
    if not asked.body:
        return None
    if kind.startswith("application/x-www-form-urlencoded"):
        # RFC 8693 names the fields in snake case, which APIs made of protocol buffers take as well.
        form = parse_qsl(asked.body.decode(), strict_parsing=True, keep_blank_values=True)
        return {_camel(name): value for name, value in form}
    if asked.query.get("uploadType") == "multipart":  # an object's description before its bytes
        head = f"Content-Type: {kind}\r\n\r\n".encode()
        parts = email.parser.BytesParser().parsebytes(head + asked.body).get_payload()
        return json.loads(parts[0].get_payload(decode=True))  # type: ignore[arg-type,index,union-attr] # it has parts
    return json.loads(asked.body)
