import asyncio
import contextlib
import threading
import time

import pulumi
import pulumi_kubernetes as k8s
import pytest

from apiops_components.errors import InvalidInput, NotRunnable
from apiops_components.testing.pulumi import SECRET, UNKNOWN, record

STACK = "urn:pulumi:test::test::pulumi:pulumi:Stack::test-test"


class Shop(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("apiops:index:Shop", name, {}, opts)
        self.namespace = k8s.core.v1.Namespace(
            f"{name}-namespace", metadata={"name": "shop"}, opts=pulumi.ResourceOptions(parent=self)
        )
        self.register_outputs({"namespace": self.namespace.metadata.name})


class Custom(pulumi.CustomResource):
    def __init__(self, name, props=None, opts=None, outputs=()):
        super().__init__("vendor:index:Thing", name, {**dict.fromkeys(outputs), **(props or {})}, opts)


# What is recorded


def test_a_resource_is_recorded_with_everything_the_engine_is_told():
    def program():
        first = Custom("first")
        Custom(
            "second",
            {"size": 3, "ratio": 0.5, "tags": ["a", True, None], "first": first.urn},
            pulumi.ResourceOptions(
                protect=True,
                delete_before_replace=False,
                ignore_changes=["size"],
                replace_on_changes=["ratio"],
                additional_secret_outputs=["token"],
                deleted_with=first,
                aliases=[pulumi.Alias(name="former"), "urn:pulumi:a::b::c::d"],
                custom_timeouts=pulumi.CustomTimeouts(create="5m"),
                version="1.2.3",
            ),
        )

    recording = record(program)
    first, second = recording.resources
    assert first.urn == "urn:pulumi:test::test::vendor:index:Thing::first"
    assert first.parent == recording.stack_urn == STACK
    assert (first.protect, first.retain_on_delete, first.delete_before_replace) == (False, False, None)
    assert second.inputs == {
        "size": 3,
        "ratio": 0.5,
        "tags": ["a", True, None],
        "first": first.urn,
    }
    assert type(second.inputs["size"]) is int
    assert second.custom
    assert second.protect
    assert second.delete_before_replace is False
    assert second.deleted_with == first.urn
    assert second.dependencies == (first.urn,)
    assert second.property_dependencies["first"] == (first.urn,)
    assert second.property_dependencies["size"] == ()
    assert second.aliases == ({"name": "former"}, "urn:pulumi:a::b::c::d")
    assert second.additional_secret_outputs == ("token",)
    assert second.ignore_changes == ("size",)
    assert second.replace_on_changes == ("ratio",)
    assert second.timeouts == {"create": "5m"}
    assert second.version == "1.2.3"
    assert second.source.startswith(f"{__file__}:")


def test_a_child_has_the_types_of_its_parents_in_its_urn_and_inherits_their_provider_and_options():
    def program():
        provider = k8s.Provider("cluster", kubeconfig="{}")
        Shop("shop", pulumi.ResourceOptions(providers=[provider], protect=True, retain_on_delete=True))

    recording = record(program)
    shop, namespace = recording.one(name="shop"), recording.one(name="shop-namespace")
    assert namespace.urn == ("urn:pulumi:test::test::apiops:index:Shop$kubernetes:core/v1:Namespace::shop-namespace")
    assert recording.children(shop) == (namespace,)
    assert not shop.custom
    assert shop.outputs == {"namespace": "shop"}
    assert namespace.provider.startswith(f"{recording.one(name='cluster').urn}::")
    assert namespace.protect
    assert namespace.retain_on_delete


def test_two_runs_record_the_same():
    def program():
        for i in range(30):
            Shop(f"shop{i}")

    assert record(program) == record(program)


# What is known


def test_in_a_preview_inputs_are_echoed_and_all_else_is_unknown():
    applied = []

    def program():
        thing = Custom("thing", {"size": 1}, outputs=["endpoint"])
        pulumi.export("size", thing.size.apply(lambda size: size + 1))
        pulumi.export("endpoint", thing.endpoint.apply(applied.append))
        pulumi.export("id", thing.id)
        Custom("user", {"endpoint": thing.endpoint, "nested": {"list": [thing.id]}})

    recording = record(program)
    assert recording.outputs == {"size": 2, "endpoint": UNKNOWN, "id": UNKNOWN}
    user = recording.one(name="user")
    assert user.inputs["endpoint"] is UNKNOWN
    assert user.inputs["nested"]["list"][0] is UNKNOWN
    assert applied == []


def test_outside_a_preview_identifiers_and_given_outputs_are_known():
    def program():
        thing = Custom("thing", outputs=["endpoint", "absent"])
        pulumi.export("all", pulumi.Output.all(thing.id, thing.endpoint, thing.absent))

    recording = record(program, preview=False, outputs=lambda resource: {"endpoint": f"10.0.0.1/{resource.name}"})
    assert recording.outputs == {"all": ["thing-id", "10.0.0.1/thing", None]}


def test_a_secret_is_shown_by_its_mark_wherever_it_goes():
    def program():
        config = pulumi.Config()
        known, unknown = config.require_secret("known"), config.require_secret("unknown")
        thing = Custom(
            "thing",
            {
                "plain": known,
                "deep": {"list": [pulumi.Output.concat("x-", known)]},
                "json": pulumi.Output.json_dumps({"token": known}),
                "unknown": unknown.apply(lambda value: value.upper()),
            },
            pulumi.ResourceOptions(additional_secret_outputs=["minted"]),
            outputs=["minted"],
        )
        pulumi.export("minted", thing.minted)
        pulumi.export("plain", thing.plain)

    recording = record(program, config={"known": "s3ntinel"}, secret_config_keys=["known", "unknown"])
    inputs = recording.one(name="thing").inputs
    assert inputs["plain"] is inputs["json"] is inputs["unknown"] is inputs["deep"]["list"][0] is SECRET
    assert recording.outputs == {"minted": SECRET, "plain": SECRET}
    assert "s3ntinel" not in repr(recording)


def test_a_stack_reference_keeps_known_outputs_known_beside_unknown_and_secret_ones():
    def program():
        platform = pulumi.StackReference("platform", "organization/platform/dev")
        pulumi.export("host", platform.require_output("host").apply(str.upper))
        pulumi.export("endpoint", platform.require_output("endpoint"))
        pulumi.export("token", platform.get_output("token"))
        pulumi.export("by key", platform.outputs["host"])
        pulumi.export("absent", platform.get_output("absent").apply(lambda value: value is None))

    outputs = {"host": "api.example.com", "endpoint": UNKNOWN, "token": {"value": SECRET}}
    recording = record(program, stack_references={"organization/platform/dev": outputs})
    assert recording.outputs == {
        "host": "API.EXAMPLE.COM",
        "endpoint": UNKNOWN,
        "token": SECRET,
        "by key": "api.example.com",
        "absent": True,
    }
    assert recording.one(name="platform").read


def test_a_stack_reference_without_unknowns_is_a_plain_mapping():
    def program():
        pulumi.export("all", pulumi.StackReference("a/b/c").outputs.apply(dict))

    assert record(program, stack_references={"a/b/c": {"x": [1]}}).outputs == {"all": {"x": [1]}}


def test_a_function_of_a_provider_gets_the_answer_that_was_given():
    def program():
        pulumi.export("zone", pulumi.runtime.invoke("gcp:a:zone", {"of": "eu"}).value["zone"])

    recording = record(program, invokes={"gcp:a:zone": lambda arguments: {"zone": f"{arguments['of']}-1"}})
    assert recording.outputs == {"zone": "eu-1"}
    assert recording.invocations[0].token == "gcp:a:zone"  # noqa: S105


def test_transforms_are_said_not_to_run():
    def program():
        pulumi.runtime.register_resource_transform(lambda _args: None)
        Custom("thing", opts=pulumi.ResourceOptions(transforms=[lambda _args: None]))

    recording = record(program)
    assert [(d.severity, d.urn) for d in recording.diagnostics] == [
        ("warning", recording.stack_urn),
        ("warning", recording.one(name="thing").urn),
    ]


# What is refused


def test_two_resources_with_one_urn_are_refused_and_both_places_named():
    def program():
        Shop("shop")
        Shop("shop")

    with pytest.raises(InvalidInput) as caught:
        record(program)
    problems = caught.value.problems
    assert {problem.code for problem in problems} == {"resource/duplicate"}
    assert str(caught.value).count(f"{__file__}:") >= 2


def test_a_function_without_an_answer_is_refused():
    def program():
        pulumi.runtime.invoke_output("gcp:a:zone", {})

    with pytest.raises(InvalidInput, match="gcp:a:zone"):
        record(program)


def test_a_stack_without_given_outputs_is_refused():
    with pytest.raises(InvalidInput, match="'a/b/c'"):
        record(lambda: pulumi.StackReference("a/b/c"))


@pytest.mark.parametrize("disabled", [["vendor"], ["*"]])
def test_a_default_provider_that_is_disabled_is_refused(disabled):
    with pytest.raises(InvalidInput, match=r"default provider for 'vendor' is disabled"):
        record(lambda: Custom("thing"), config={"pulumi:disable-default-providers": disabled})


# It must not pass falsely


def test_what_the_program_raises_is_raised():
    def program():
        Custom("thing")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        record(program)


def test_what_an_apply_raises_is_raised_though_nobody_awaits_it():
    def program():
        thing = Custom("thing", {"size": 1})

        def check(size):
            assert size == 2

        thing.size.apply(check)

    with pytest.raises(AssertionError):
        record(program)


def test_an_input_that_pulumi_cannot_send_is_an_error_that_names_the_resource():
    with pytest.raises(ValueError, match="'thing'"):
        record(lambda: Custom("thing", {"size": object()}))


def test_an_async_program_is_awaited():
    async def program():
        await asyncio.sleep(0)
        Custom("thing")

    assert record(program).one(name="thing")


def blocked():
    time.sleep(1)


def busy():
    while True:
        pass


def awaiting():
    return asyncio.get_running_loop().create_future()


def never_resolved():
    Custom("thing", {"size": asyncio.get_running_loop().create_future()})


async def in_a_thread():
    await asyncio.to_thread(time.sleep, 1)


@pytest.mark.parametrize(
    ("program", "waits"),
    [
        (blocked, f"it stands at {__file__}:"),
        (busy, f"it stands at {__file__}:"),
        (awaiting, ""),
        (never_resolved, "inputs never resolve: vendor:index:Thing thing"),
        (in_a_thread, f"it stands at {__file__}:"),
    ],
)
def test_a_program_that_does_not_end_is_given_up_and_its_thread_ends(program, waits):
    with pytest.raises(NotRunnable, match=r"did not end within 0\.3 s") as caught:
        record(program, time_limit=0.3)
    assert waits in str(caught.value)
    for thread in threading.enumerate():
        if thread.name == "pulumi test":
            thread.join(60)  # a loaded machine takes its time
            assert not thread.is_alive()


def test_one_expects_exactly_one_and_lists_what_there_is():
    recording = record(lambda: [Shop("a"), Shop("b")])
    with pytest.raises(LookupError, match="apiops:index:Shop 'a'"):
        recording.one(type="apiops:index:Shop")
    with pytest.raises(LookupError, match="no resources are apiops:index:Shops, expected one"):
        recording.one(type="apiops:index:Shops")
    with pytest.raises(LookupError, match="no resource has the URN"):
        recording.children("urn:pulumi:wrong")


# It leaves nothing behind


def test_runs_do_not_share_state():
    def exporting(value):
        def program():
            pulumi.export("config", pulumi.Config().get("key"))
            pulumi.export("names", [pulumi.get_project(), pulumi.get_stack()])
            Custom("thing", {"value": value})

        return program

    before = threading.active_count()
    first = record(exporting(1), project="one", stack="dev", config={"key": "a"})
    with contextlib.suppress(ZeroDivisionError):
        record(lambda: 1 / 0, config={"key": "b"})
    second = record(exporting(2))
    assert first.outputs == {"config": "a", "names": ["one", "dev"]}
    assert second.outputs == {"names": ["test", "test"]}
    assert pulumi.runtime.get_root_resource() is None
    assert pulumi.Config("one").get("key") is None
    assert threading.active_count() <= before


def test_a_run_inside_a_test_of_pulumis_own_mocks_leaves_them_alone():
    class Mocks(pulumi.runtime.Mocks):
        def new_resource(self, args):
            return "mock-id", args.inputs

        def call(self, _args):
            return {}

    loop = asyncio.new_event_loop()  # the SDK's mocks take the thread's, which newer Pythons do not make by themselves
    asyncio.set_event_loop(loop)
    try:
        pulumi.runtime.set_mocks(Mocks(), project="mocked")
        record(lambda: Custom("thing"))
        assert pulumi.get_project() == "mocked"
    finally:
        loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(loop), return_exceptions=True))
        asyncio.set_event_loop(None)
        loop.close()
