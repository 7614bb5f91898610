"""What all models share: frozen, strict about unknown fields, and the field types of Kubernetes and HTTP.

A limit is stated once, here, with its source. Error codes have the form ``subject/what`` and do not change.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    StrictBool,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = [
    "FIELD_NAME",
    "ApiGroup",
    "Bool",
    "CheckedModel",
    "Cidr",
    "DnsLabel",
    "DnsSubdomain",
    "Duration",
    "ExactHost",
    "HeaderName",
    "Host",
    "Integer",
    "Kind",
    "KubernetesChecked",
    "KubernetesModel",
    "Model",
    "Port",
    "Reason",
    "SecretName",
    "Text",
    "Whole",
    "details",
    "fault",
    "matching",
    "raise_faults",
]


class Model(BaseModel):
    """A value: immutable, compared by content, refusing fields it does not know.

    Schemas are built on first use, so that importing a module of models costs little.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class KubernetesModel(Model):
    """A value with the shape of a Kubernetes object: snake_case in Python, camelCase in documents; both are read."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        return _dropped_nulls(data) if isinstance(data, dict) and None in data.values() else data


def _dropped_nulls(data: dict[str, Any]) -> dict[str, Any]:
    # The API server drops a null before it sets defaults, so for a document a null is no value.
    return {key: value for key, value in data.items() if value is not None}


def fault(code: str, message: str, hint: str = "", loc: Sequence[str | int] = (), got: Any = None) -> InitErrorDetails:
    """One problem for `raise_faults`; ``loc`` is relative to the model that raises."""
    # The text is a context value, not the template itself: braces in it must stay braces.
    return InitErrorDetails(
        type=PydanticCustomError(code, "{text}{more}", {"text": message, "hint": hint, "more": hint and f"; {hint}"}),
        loc=tuple(loc),
        input=got,
    )


def raise_faults(faults: Iterable[InitErrorDetails]) -> None:
    """Raises all the faults of one object at once; does nothing where there is none.

    Called in a validator: pydantic puts the path of the object before each ``loc``.
    """
    found = list(faults)
    if found:
        raise ValidationError.from_exception_data("invalid", found)


Told = TypeVar("Told")


class CheckedModel(Model):
    """A model with rules across its fields: `faults` yields all that are broken.

    They are reported together with what is wrong in single fields: where a field is invalid, the rules that do not
    need it still run.
    """

    __slots__ = ("__sound__",)  # set where the rules held; a copy with other values has no mark, and is checked again

    renamed: ClassVar[Mapping[str, str]] = {}
    """What fields were called in older versions of a vendor's format, and are called now."""

    elsewhere: ClassVar[Mapping[str, str]] = {}
    """Fields of a model beside this one that a writer may look for here, and why they are not."""

    def faults(self) -> Iterable[InitErrorDetails]:
        """Each broken rule as a `fault`; one that needs an invalid field ends the run quietly (see `told`)."""
        yield from ()

    def told(self, *rules: Callable[[], Iterator[Told]]) -> Iterator[Told]:
        """What each rule finds; where fields are invalid, the rules that need one of them are left out."""
        for rule in rules:
            try:
                yield from rule()
            except AttributeError:
                if self.is_whole:
                    raise

    @property
    def is_whole(self) -> bool:
        """Whether every field is valid; otherwise this is the part of a model that its rules are tried on."""
        return bool(getattr(self, "__sound__", True))

    takes_nulls: ClassVar[bool] = False
    """Whether a null in a document is no value, as for the API server."""

    has_rules: ClassVar[bool] = False
    """Whether the class has `faults` of its own."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Looks for rules once a class."""
        super().__init_subclass__(**options)
        cls.has_rules = cls.faults is not CheckedModel.faults

    @model_validator(mode="wrap")
    @classmethod
    def _check(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        # Runs for every part of everything that is made, most of the time of which calls would take: it has none.
        if isinstance(data, dict):
            if cls.takes_nulls and None in data.values():
                data = _dropped_nulls(data)
        elif isinstance(data, cls) and hasattr(data, "__sound__"):
            return data  # part of a larger model now: values do not change, so its rules still hold
        try:
            model = handler(data)
        except ValidationError as error:
            found = [
                _unknown_field(cls, item) or _missing_field(cls, item) or details(item)
                for item in error.errors(include_url=False)
            ]
            if isinstance(data, dict):
                found += _faults_of_part(cls, data)
            raise ValidationError.from_exception_data(cls.__name__, found) from None
        if cls.has_rules and (found := [*model.faults()]):
            raise ValidationError.from_exception_data("invalid", found)
        _mark(model, True)  # noqa: FBT003  (how a slot is set)
        return model


_mark = CheckedModel.__dict__["__sound__"].__set__


def _unknown_field(model: type[CheckedModel], item: Any) -> InitErrorDetails | None:
    """A field that the model does not have, with the nearest one that it has; None for any other error."""
    if item["type"] != "extra_forbidden" or len(item["loc"]) != 1:
        return None
    names = [field.alias or name for name, field in model.model_fields.items()]
    field = str(item["loc"][0])
    if field in model.elsewhere:
        return fault("schema/unknown-field", model.elsewhere[field], "leave it out", item["loc"], item["input"])
    import difflib  # noqa: PLC0415  (only errors need it; every import of a model would pay)

    near = [model.renamed[field]] if field in model.renamed else difflib.get_close_matches(field, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"
    return fault("schema/unknown-field", "unknown field", hint, item["loc"], item["input"])


def _missing_field(model: type[CheckedModel], item: Any) -> InitErrorDetails | None:
    """A field that must be given, with what it is; None for any other error."""
    if item["type"] != "missing" or len(item["loc"]) != 1 or model.takes_nulls:
        return None
    from apiops_components.models.docs import field_docs  # noqa: PLC0415  (only errors need it)

    name = str(item["loc"][0])
    what = field_docs(model).get(name, "").partition(". ")[0].rstrip(".")
    hint = f"{name}: {what[:1].lower()}{what[1:]}".replace("``", "") if what else ""
    return fault("schema/required", "required, but missing", hint, item["loc"], item["input"])


class KubernetesChecked(CheckedModel):
    """Shape of Kubernetes, and rules across fields."""

    model_config = KubernetesModel.model_config
    takes_nulls = True


def _faults_of_part(model: type[CheckedModel], data: dict[str, Any]) -> list[InitErrorDetails]:
    """The broken rules that can be told from the valid fields alone; only runs where something is invalid already."""
    found: list[InitErrorDetails] = []
    try:
        found.extend(_part(model, data).faults())
    except AttributeError:  # a rule asked for a field that is invalid
        return found
    return found


def _part(model: type[CheckedModel], data: dict[Any, Any]) -> CheckedModel:
    """The valid fields of a model, as one that lacks the others; of models inside it, their valid fields."""
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        key = field.alias if field.alias in data else name
        try:
            values[name] = (
                _adapter(model, name).validate_python(data[key])
                if key in data
                else field.get_default(call_default_factory=True, validated_data={})
            )
        except (ValidationError, KeyError):
            continue
    values = {name: value for name, value in values.items() if repr(value) != "PydanticUndefined"}
    whole = values.keys() >= model.model_fields.keys()
    if not model.takes_nulls:
        inner = {
            name: _valid(model.model_fields[name].annotation, data.get(name))
            for name in model.model_fields.keys() - values
        }
        values |= {name: value for name, value in inner.items() if value is not None}
    part = model.model_construct(_fields_set=set(values))
    part.__dict__.clear()
    part.__dict__.update(values)
    _mark(part, whole)
    return part


def _valid(annotation: Any, value: Any) -> Any:
    """What is valid of an invalid value: a part of the model that it was meant for, or parts in a mapping."""
    if not isinstance(value, dict):
        return None
    if get_origin(annotation) is Mapping:
        parts = {key: _valid(get_args(annotation)[1], item) for key, item in value.items()}
        return {key: part for key, part in parts.items() if part is not None}
    kinds = [
        kind
        for kind in (annotation, *get_args(annotation))
        if isinstance(kind, type) and issubclass(kind, CheckedModel)
    ]
    if len(kinds) > 1:
        fields = [(kind, kind.model_fields.get("kind")) for kind in kinds]
        kinds = [kind for kind, field in fields if field and value.get("kind") in get_args(field.annotation)]
    return _part(kinds[0], value) if len(kinds) == 1 else None


@cache
def _adapter(model: type[BaseModel], name: str) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter  # noqa: PLC0415  (only errors need it)

    field = model.model_fields[name]
    annotation: Any = field.annotation
    return TypeAdapter(Annotated[annotation, *field.metadata] if field.metadata else annotation)


def details(item: Any) -> InitErrorDetails:
    """An error of pydantic's own report in the form in which it can be raised again."""
    kind, context = item["type"], item.get("ctx")
    if "/" in kind:
        error: Any = PydanticCustomError(kind, "{text}{more}", context)
    elif kind in ("value_error", "assertion_error"):
        error = PydanticCustomError(f"schema/{kind.replace('_', '-')}", "{text}", {"text": str(context["error"])})
    elif "-" in kind:  # of a type of pydantic's own, and not of its core, which knows no such name
        error = PydanticCustomError(f"schema/{kind}", "{text}", {"text": item["msg"]})
    else:
        return InitErrorDetails(type=kind, loc=item["loc"], input=item["input"], ctx=context or {})
    return InitErrorDetails(type=error, loc=item["loc"], input=item["input"])


def matching(pattern: str, limit: int, code: str, expected: str) -> AfterValidator:
    """For the type of a string field: the whole value matches ``pattern`` and has at most ``limit`` characters."""

    def check(value: str) -> str:
        if len(value) > limit or not _fits(pattern)(value):
            raise_faults([fault(code, f"{value!r} is not {expected}, at most {limit} characters")])
        return value

    return AfterValidator(check)


@cache
def _fits(pattern: str) -> Callable[[str], object]:
    """Compiled on first use: most imports meet few of these types."""
    return re.compile(pattern, re.ASCII).fullmatch


def _integer(value: Any) -> Any:
    # YAML and Pulumi's plugin host write whole numbers as floats; booleans and strings are never numbers.
    if type(value) is not int and isinstance(value, bool | str):
        raise_faults([fault("schema/integer", f"must be an integer, got {value!r}")])
    return value


def _checked(check: Callable[[str], object], code: str, expected: str) -> AfterValidator:
    def validate(value: str) -> str:
        try:
            check(value)
        except ValueError:
            raise_faults([fault(code, f"{value!r} is not {expected}")])
        return value

    return AfterValidator(validate)


Bool = StrictBool
"""A boolean; ``"true"`` and ``1`` are not."""

Whole = BeforeValidator(_integer)
"""What an `Integer` may be written as. Where there are bounds, it stands behind them: pydantic's core checks them then,
and a function of Python otherwise."""

Integer = Annotated[int, Whole]
"""A whole number; ``2.0`` counts, ``"2"`` and ``true`` do not."""

Port = Annotated[int, Field(ge=1, le=65535), Whole]
"""A TCP port."""

Text = Annotated[str, Field(min_length=1)]
"""A string with at least one character."""

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"

DnsLabel = Annotated[
    str,
    matching(_LABEL, 63, "name/dns-label", "a DNS label (lower-case letters, digits and '-', no '-' at either end)"),
]
"""RFC 1123 label: the name of a Namespace, a Service, a container."""

DnsSubdomain = Annotated[
    str, matching(rf"{_LABEL}(\.{_LABEL})*", 253, "name/dns-subdomain", "a DNS subdomain (labels joined by '.')")
]
"""RFC 1123 subdomain: the name of most Kubernetes objects."""


def _host(value: str) -> str:
    if not value[-1:].isdigit():
        return value  # an address of the characters that a host name has ends with a digit
    import ipaddress  # noqa: PLC0415  (only hosts need it)

    try:
        ipaddress.ip_address(value)
    except ValueError:
        return value
    raise_faults([fault("name/hostname", f"{value!r} is an IP address; a host name is expected")])
    return value


Host = Annotated[
    str,
    matching(rf"(\*\.)?{_LABEL}(\.{_LABEL})*", 253, "name/hostname", "a host name (lower case, '*.' only in front)"),
    AfterValidator(_host),
]
"""Gateway API ``Hostname``: lower case, ``*`` only as the whole first label, no IP address."""


def _exact_host(value: str) -> str:
    if value.startswith("*."):
        raise_faults([fault("name/hostname", f"{value!r} is a wildcard; the name of one host is expected")])
    return value


ExactHost = Annotated[Host, AfterValidator(_exact_host)]
"""Gateway API ``PreciseHostname``: a `Host` without wildcard."""

FIELD_NAME = r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+"
"""Pattern of the name of a header field: a token of RFC 9110."""

HeaderName = Annotated[str, matching(FIELD_NAME, 256, "http/header-name", "an HTTP header name (RFC 9110 token)")]
"""An HTTP field name."""

SecretName = Annotated[
    str, matching(_LABEL, 63, "name/secret", "the name of a secret (lower-case letters, digits and '-')")
]
"""Names a key ``apiops:<name>`` of the stack configuration; the value never enters a model."""

ApiGroup = Annotated[
    str,
    matching(
        rf"({_LABEL}(\.{_LABEL})*)?", 253, "name/group", "an API group (a DNS subdomain; empty for the core group)"
    ),
]
"""API group of a kind; the core group is the empty string."""

Kind = Annotated[
    str, matching(r"[A-Za-z]([-A-Za-z0-9]*[A-Za-z0-9])?", 63, "name/kind", "a kind (letters, digits and '-')")
]
"""Kind of an object."""

Reason = Annotated[str, Field(min_length=10, max_length=500)]
"""Why an exception is made, for the person who reads it next year: at least ten characters."""

_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@lru_cache(maxsize=1024)
def duration_seconds(text: str) -> float:
    """Seconds in a Go duration such as ``1m30s``.

    Raises:
        ValueError: It is not one.
    """
    if not text or not re.fullmatch(rf"({_DURATION_PART.pattern})+", text):
        raise ValueError(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def _network(text: str) -> object:
    if "/" not in text:
        raise ValueError(text)
    import ipaddress  # noqa: PLC0415  (only ranges need it)

    return ipaddress.ip_network(text)


Cidr = Annotated[str, _checked(_network, "net/cidr", "an address range such as 10.0.0.0/16")]
"""An IPv4 or IPv6 range with a mask, host bits zero."""

Duration = Annotated[str, _checked(duration_seconds, "time/duration", "a duration such as 30s, 10m or 1h30m")]
"""A Go duration: ``90s``, ``10m``, ``1h30m``."""
