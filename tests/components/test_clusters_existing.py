import json

import pulumi
import pytest
import yaml

from apiops_components.components.existing import ExistingCluster
from apiops_components.errors import InvalidInput
from apiops_components.testing.pulumi import SECRET, UNKNOWN, record

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: dev
contexts:
- {name: dev, context: {cluster: local, user: me}}
- {name: prod, context: {cluster: far, user: admin}}
clusters:
- {name: local, cluster: {server: "https://127.0.0.1:6443"}}
- {name: far, cluster: {server: "https://203.0.113.1"}}
users:
- {name: me, user: {token: the-token-of-dev}}
- {name: admin, user: {token: the-token-of-prod}}
"""
PROVIDER = "pulumi:providers:kubernetes"


pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(KUBECONFIG)
    return tmp_path


def refused(spec, **wiring):
    with pytest.raises(InvalidInput) as caught:
        record(lambda: ExistingCluster("here", spec, **wiring))
    (problem,) = caught.value.problems
    return problem


def content(spec, **wiring):
    found = []
    record(lambda: ExistingCluster("here", spec, **wiring).kubeconfig.apply(found.append))
    (text,) = found
    return yaml.safe_load(text)


def test_a_context_is_taken_from_kubectls_own_file():
    config = content({"context": "prod"})
    assert config["current-context"] == "prod"
    assert [cluster["name"] for cluster in config["clusters"]] == ["far"]


def test_kubeconfig_of_the_shell_is_not_read(home, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(home / "other"))
    assert content({"context": "dev"})["current-context"] == "dev"


def test_a_path_is_read_and_its_current_context_taken(home):
    (home / "elsewhere").write_text(KUBECONFIG)
    config = content({"kubeconfig_path": "~/elsewhere"})
    assert config["current-context"] == "dev"
    assert "the-token-of-dev" in str(config)
    assert "the-token-of-prod" not in str(config)


def naming(**user):
    """A kubeconfig of one user, whose cluster's certificate lies in a folder beside it."""
    config = yaml.safe_load(KUBECONFIG)
    config["clusters"][0]["cluster"]["certificate-authority"] = "pki/ca.pem"
    config["users"][0]["user"] = user
    return config


def test_files_that_a_path_names_are_found_from_its_folder(home):
    for name in ("ca.pem", "me.pem", "me.key", "login"):
        file = home / "far" / "pki" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("-----BEGIN X-----\nQUJD\n-----END X-----\n")
        file.chmod(0o755)
    user = {"client-certificate": "pki/me.pem", "client-key": "pki/me.key", "exec": {"command": "./pki/login"}}
    (home / "far" / "config").write_text(yaml.safe_dump(naming(**user)))
    config = content({"kubeconfig_path": "~/far/config"})
    assert config["clusters"][0]["cluster"]["certificate-authority"] == str(home / "far/pki/ca.pem")
    assert config["users"][0]["user"] == {
        "client-certificate": str(home / "far/pki/me.pem"),
        "client-key": str(home / "far/pki/me.key"),
        "exec": {"command": f"{home}/far/./pki/login"},
    }


def test_json_is_read_too(home):
    (home / "json").write_text(json.dumps(yaml.safe_load(KUBECONFIG), indent="\t"))
    assert content({"kubeconfig_path": "~/json"}) == content({"kubeconfig_path": "~/.kube/config"})


def test_of_several_documents_none_is_guessed(home):
    (home / "two").write_text(f"{KUBECONFIG}---\n{KUBECONFIG}")
    assert "got 2 documents" in refused({"kubeconfig_path": "~/two"}).message
    (home / "one").write_text(f"---\n{KUBECONFIG}---\n")
    assert content({"kubeconfig_path": "~/one"})["current-context"] == "dev"


BROKEN = {
    "certificate-authority": ("clusters[0].cluster.certificate-authority", "kubeconfig/file"),
    "login": ("users[0].user.client-key", "kubeconfig/login"),
    "file": ("users[0].user.client-key", "kubeconfig/file"),
    "plugin": ("users[0].user.exec.command", "kubeconfig/plugin"),
}


def test_all_that_could_not_be_used_is_told_at_once_before_anything_is_registered(home):
    (home / "broken").write_text(yaml.safe_dump(naming(**{"client-key": "me.key", "exec": {"command": "no-plugin"}})))
    with pytest.raises(InvalidInput) as caught:
        record(lambda: ExistingCluster("here", {"kubeconfig_path": "~/broken"}))
    problems = caught.value.problems
    assert [(problem.path, problem.code) for problem in problems] == list(BROKEN.values())
    assert {(problem.document, problem.file) for problem in problems} == {("ExistingCluster here", f"{home}/broken")}
    assert f"{home}/pki/ca.pem cannot be read: No such file or directory" in problems[0].message


def test_all_that_is_wrong_with_a_secret_is_told_at_once_by_its_place():
    user = {"client-key": "sentinel-4711.key", "exec": {"command": "sentinel-4711"}}
    problem = refused({"kubeconfig_secret": "kubeconfig"}, kubeconfig=yaml.safe_dump(naming(**user)))
    places = ", ".join(f"{path} [{code}]" for path, code in BROKEN.values())
    assert problem.message == f"the kubeconfig given as a secret cannot be used: {places}"
    assert "sentinel" not in str(problem)


def test_name_and_address_are_plain_and_the_content_is_secret():
    recording = record(lambda: ExistingCluster("here", {"context": "prod"}))
    assert recording.one("apiops:index:ExistingCluster").outputs == {"cluster_name": "prod", "kubeconfig": SECRET}
    assert recording.one(PROVIDER).inputs["clusterIdentifier"] == "https://203.0.113.1"


def test_a_secret_takes_the_place_of_the_file():
    recording = record(
        lambda: ExistingCluster(
            "here", {"kubeconfig_secret": "kubeconfig"}, kubeconfig=pulumi.Config("apiops").require_secret("kubeconfig")
        ),
        config={"apiops:kubeconfig": KUBECONFIG},
        secret_config_keys=["apiops:kubeconfig"],
    )
    assert recording.one("apiops:index:ExistingCluster").outputs == {"cluster_name": "dev", "kubeconfig": SECRET}
    assert "the-token-of-prod" not in repr(recording)


def test_a_secret_without_a_value_yet_is_unknown_and_the_preview_goes_on():
    recording = record(
        lambda: ExistingCluster(
            "here", {"kubeconfig_secret": "kubeconfig"}, kubeconfig=pulumi.Config("apiops").require_secret("kubeconfig")
        ),
        secret_config_keys=["apiops:kubeconfig"],
    )
    assert recording.one(PROVIDER).inputs["clusterIdentifier"] in (UNKNOWN, SECRET)


def test_another_stacks_output_is_narrowed_to_the_context():
    assert content({"context": "prod"}, kubeconfig=KUBECONFIG)["current-context"] == "prod"


def test_a_cluster_that_is_not_ours_is_not_forgotten_when_it_cannot_be_reached():
    assert record(lambda: ExistingCluster("here", {"context": "dev"})).one(PROVIDER).inputs["deleteUnreachable"] == (
        "false"
    )


def test_a_missing_file_is_named_with_the_fix(home):
    problem = refused({"kubeconfig_path": "~/nowhere"})
    assert (problem.document, problem.path, problem.code) == (
        "ExistingCluster here",
        "kubeconfig_path",
        "kubeconfig/missing",
    )
    assert problem.file == str(home / "nowhere")
    assert "No such file" in problem.message
    assert "kubectl config view" in problem.hint


def test_a_folder_is_no_kubeconfig():
    assert refused({"kubeconfig_path": "~/.kube"}).code == "kubeconfig/missing"


def test_an_unknown_context_lists_those_of_the_file():
    problem = refused({"context": "staging"})
    assert (problem.document, problem.code) == ("ExistingCluster here", "kubeconfig/context")
    assert "'dev', 'prod'" in problem.message
    assert refused({"context": "pro"}).hint == "did you mean prod?"


def test_text_that_is_no_yaml_is_named_with_its_line(home):
    (home / "broken").write_text("kind: Config\nusers: [\n")
    problem = refused({"kubeconfig_path": "~/broken"})
    assert (problem.code, problem.document) == ("kubeconfig/yaml", "ExistingCluster here")
    assert problem.line


def test_a_secret_that_is_named_but_not_given_is_missed():
    problem = refused({"kubeconfig_secret": "kubeconfig"})
    assert (problem.path, problem.code) == ("kubeconfig_secret", "secret/missing")


def test_file_and_value_together_are_refused():
    assert refused({"kubeconfig_path": "~/x"}, kubeconfig="x").code == "existing/source"


@pytest.mark.parametrize(
    "text", ["sentinel-4711", "sentinel-4711: [", "{kind: Config, contexts: [{name: sentinel-4711}]}"]
)
def test_a_broken_secret_is_refused_without_quoting_it(text):
    problem = refused({"kubeconfig_secret": "kubeconfig"}, kubeconfig=text)
    assert (problem.path, problem.code) == ("kubeconfig_secret", "kubeconfig/secret")
    assert "sentinel" not in str(problem)
