"""`provision artifact-store` and `stack`: records, and the stores at work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import Aws, CommandLine


def test_the_life_of_a_store(provision: CommandLine) -> None:
    done = provision(
        "artifact-store register a -f s3 --path s3://bucket/x/ --client-kwargs", '{"verify": false}'
    )
    assert done.out == "Registered artifact store a: s3, s3://bucket/x.\n"

    provision("artifact-store update a --config_kwargs", '{"read_timeout": 5}', "--path=s3://other")
    provision("artifact-store remove-attribute a --client-kwargs")
    provision("artifact-store copy a b")
    provision("artifact-store rename a c")

    assert provision("artifact-store describe c --format json").json == {
        "name": "c",
        "flavor": "s3",
        "path": "s3://other",
        "config": {"config_kwargs": {"read_timeout": 5}},
        "connector": None,
        "authentication_secret": None,
        "stacks": [],
        "managed_by": None,
    }
    provision("artifact-store delete b")
    assert [one["name"] for one in provision("artifact-store list --format json").json] == ["c"]


def test_a_store_in_use_is_not_deleted(provision: CommandLine) -> None:
    provision("artifact-store register a -f local")
    provision("stack register s -a a --set")

    done = provision("artifact-store delete a", expect=6)

    assert "artifact store 'a' is used by stack s" in done.err
    assert "a (active)" in provision("artifact-store list").out
    assert provision("artifact-store describe").out.startswith("name    a\n")


def test_connecting_is_refused_where_it_could_not_work(provision: CommandLine) -> None:
    provision("artifact-store register a -f s3 --path s3://bucket")
    provision(
        "service-connector register c -t aws --auth-method iam-role --resource-id s3://other "
        "--role_arn arn:aws:iam::123456789012:role/r"
    )

    assert "s3://bucket" in provision("artifact-store connect a --connector c", expect=3).err
    assert (
        "no service connector named 'd'" in provision("artifact-store connect a --connector d", expect=3).err
    )
    assert provision.client.describe_artifact_store("a").connector is None


def test_verify_tries_a_store_out_and_leaves_nothing(provision: CommandLine) -> None:
    provision("artifact-store register a -f local --path", str(provision.folder / "data"))

    assert provision("artifact-store verify a --format json").json["works"] == [
        "write",
        "read",
        "list",
        "delete",
    ]
    assert list((provision.folder / "data").iterdir()) == []
    assert provision("artifact-store verify a --read-only").out == "a works: list.\n"


def test_verify_says_what_is_missing(provision: CommandLine, aws: Aws) -> None:
    provision.environment(AWS_ACCESS_KEY_ID="AKIAOWNER", AWS_SECRET_ACCESS_KEY="owner")
    provision(
        "artifact-store register a -f s3 --path s3://not-there --client_kwargs",
        json.dumps({"endpoint_url": aws.url}),
    )

    done = provision("artifact-store verify a", expect=5)

    assert "not-there" in done.err
    assert "next:" in done.err


def test_verify_leaves_no_old_versions_of_its_probe(provision: CommandLine, aws: Aws) -> None:
    aws.bucket("versioned")
    aws.client("s3").put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    provision.environment(AWS_ACCESS_KEY_ID="AKIAOWNER", AWS_SECRET_ACCESS_KEY="owner")
    provision(
        "artifact-store register a -f s3 --path s3://versioned/below --client_kwargs",
        json.dumps({"endpoint_url": aws.url}),
    )

    assert provision("artifact-store verify a").out == "a works: write, read, list, delete.\n"

    left = aws.client("s3").list_object_versions(Bucket="versioned")
    assert "Versions" not in left
    assert "DeleteMarkers" not in left


def test_migrate_copies_all_verifies_it_and_goes_on_where_it_was(provision: CommandLine, aws: Aws) -> None:
    aws.bucket("new-bucket")
    provision.environment(AWS_ACCESS_KEY_ID="AKIAOWNER", AWS_SECRET_ACCESS_KEY="owner")
    old = provision.folder / "old"
    for name in ("a/1", "a/2", "b/deep/3"):
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        (old / name).write_text(f"content of {name}")
    endpoint = json.dumps({"endpoint_url": aws.url})
    provision("artifact-store register old -f local --path", str(old))
    provision("artifact-store register new -f s3 --path s3://new-bucket/below --client_kwargs", endpoint)
    aws.client("s3").put_object(Bucket="new-bucket", Key="below/a/1", Body=b"content of a/1")

    done = provision("artifact-store migrate old new --format json").json

    assert done == {"source": "old", "target": "new", "copied": 2, "copied_bytes": 33, "present": 1}
    found = aws.client("s3").get_object(Bucket="new-bucket", Key="below/b/deep/3")["Body"].read()
    assert found == b"content of b/deep/3"
    assert provision("artifact-store migrate old new --format json").json["present"] == 3
    assert sorted(path.name for path in old.rglob("*") if path.is_file()) == ["1", "2", "3"]


def test_migrate_replaces_nothing_unasked(provision: CommandLine) -> None:
    for name, content in (("old", "new text"), ("new", "precious")):
        folder = provision.folder / name
        folder.mkdir()
        (folder / "a.txt").write_text(content)
        provision(f"artifact-store register {name} -f local --path", str(folder))
    target = provision.folder / "new" / "a.txt"

    refused = provision("artifact-store migrate old new", expect=6)
    assert str(target) in refused.err
    assert target.read_text() == "precious"

    assert "no terminal to ask on" in provision("artifact-store migrate old new --overwrite", expect=3).err
    provision("artifact-store migrate old new --overwrite -y")
    assert target.read_text() == "new text"


def test_migrate_into_itself_is_refused(provision: CommandLine) -> None:
    provision("artifact-store register a -f local --path", str(provision.folder / "x"))
    provision("artifact-store register b -f local --path", str(provision.folder / "x" / "y"))

    assert "lie within each other" in provision("artifact-store migrate a b", expect=3).err


def test_flavors(provision: CommandLine) -> None:
    provision("artifact-store flavor register flavor_for_tests.MemoArtifactStore")
    provision("artifact-store register mine -f memo --path memo://x")

    described = provision("artifact-store flavor describe memo --format json").json
    assert described["schemes"] == ["memo://"]
    assert described["artifact_stores"] == ["mine"]
    assert "s3_additional_kwargs" in provision("artifact-store flavor describe s3").out
    listed = provision("artifact-store flavor list --format json").json
    assert {"name": "memo", "origin": "custom", "source": "flavor_for_tests.MemoArtifactStore"} in listed
    assert "is used by artifact store mine" in provision("artifact-store flavor delete memo", expect=6).err
    provision("artifact-store delete mine")
    provision("artifact-store flavor delete memo")
    assert "no artifact store flavor 'memo'" in provision("artifact-store flavor describe memo", expect=3).err
    assert "cannot be loaded" in provision("artifact-store flavor register nope.Nope", expect=3).err


def test_the_life_of_a_stack(provision: CommandLine) -> None:
    provision("artifact-store register a -f local")
    provision("artifact-store register b -f local")
    assert provision("stack register one -a a -o default --set").out == (
        "Registered stack one with the artifact store a and made it active.\n"
    )
    provision("stack copy current two")
    provision("stack update two -a b")
    provision("stack rename one three")

    assert provision("stack get").out == "three\n"
    assert provision("stack describe two --format json").json == {
        "name": "two",
        "artifact_store": "b",
        "orchestrator": "default",
        "active": False,
        "managed_by": None,
    }
    assert [one["active"] for one in provision("stack list --format json").json] == [True, False]
    assert "is the active one" in provision("stack delete three", expect=6).err
    provision("stack set two")
    provision("stack delete three")
    assert provision("stack list").out.splitlines()[1].split() == ["two", "(active)", "b", "default"]


def test_a_stack_goes_from_one_state_file_to_another(provision: CommandLine, tmp_path: Path) -> None:
    provision("secret create s3 --aws_access_key_id=a --aws_secret_access_key=canary")
    provision("artifact-store register a -f s3 --path s3://bucket --authentication_secret s3")
    provision("stack register one -a a --set")
    provision("stack export one one.json")
    assert "File exists" in provision("stack export one one.json", expect=3).err
    assert "canary" not in Path("one.json").read_text()

    provision.environment(STACKS_STATE=str(tmp_path / "other" / "state.json"))
    done = provision("stack import one.json --name again")

    assert "needs the secret s3, which is not here: provision secret create s3" in done.err
    assert provision("stack describe again --format json").json["artifact_store"] == "a"
    exported = provision("stack export again").out
    provision("stack delete again")
    provision("stack import -", stdin=exported)
    assert "is not JSON" in provision("stack import -", stdin="{", expect=3).err
    assert "no exported stack" in provision("stack import -", stdin="[]", expect=3).err
    assert "cannot be read" in provision("stack import nowhere.json", expect=3).err


def test_what_an_imported_stack_brings_is_told_and_steers_no_terminal(provision: CommandLine) -> None:
    provision("artifact-store flavor register flavor_for_tests.MemoArtifactStore")
    provision("artifact-store register a -f memo --path memo://x")
    provision("stack register one -a a")
    document = json.loads(provision("stack export one").out)
    document["artifact_stores"][0]["path"] = "memo://\x1b[2J\u202e"
    provision("stack delete one")
    provision("artifact-store delete a")
    provision("artifact-store flavor delete memo")

    done = provision("stack import -", stdin=json.dumps(document))

    assert "note: it brings the flavor memo: its stores run the code of flavor_for_tests.Memo" in done.err
    for shown in (provision("artifact-store list").out, provision("artifact-store describe a").out):
        assert r"memo://\x1b[2J\u202e" in shown


def test_a_flavor_that_no_longer_loads_stands_in_nobody_elses_way(provision: CommandLine) -> None:
    module = provision.folder / "flavor_that_breaks.py"
    module.write_text("from flavor_for_tests import MemoArtifactStore\n")
    provision("artifact-store flavor register flavor_that_breaks.MemoArtifactStore")
    module.write_text("raise RuntimeError('broken')\n")

    done = provision.process("artifact-store", "register", "a", "-f", "local", PYTHONPATH=flavors_folder())

    assert done.code == 0, done.said


def flavors_folder() -> str:
    """Where flavor_for_tests is."""
    import flavor_for_tests

    return str(Path(flavor_for_tests.__file__).parent)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("artifact-store register -f s3", "NAME is missing"),
        ("artifact-store register a", "Missing option '-f' / '--flavor'"),
        ("artifact-store register a -f s3", "give --path, such as s3://bucket"),
        ("artifact-store register a -f s3 --path s3://My_Bucket/x", "write --path=s3://my-bucket/x"),
        (
            "artifact-store register a -f s3 --path s3://b",
            "name a bucket that exists: --path=s3://BUCKET/PREFIX",
        ),
        ("artifact-store register a -f s4 --path s4://x", "there is no artifact store flavor 's4'"),
        ("artifact-store register a -f s3 --path gs://bucket", "does not begin with s3://"),
        ("artifact-store register a -f s3 --path s3://bucket --bucket=x", "no setting bucket"),
        ("artifact-store update a", "nothing to change was given"),
        ("artifact-store describe a", "there is no artifact store named 'a'"),
        ("artifact-store describe", "no stack is active"),
        ("stack register s -a nope", "there is no artifact store named 'nope'"),
        ("stack register s", "Missing option '-a'"),
        ("stack register s -a a -o kubeflow", "there is no orchestrator 'kubeflow'"),
        ("stack register s -a a more", "'more' is one argument too many"),
        ("stack update s", "nothing to change was given"),
        ("stack get", "no stack is active"),
        ("secrets-manager", "provision secret create NAME"),
    ],
)
def test_mistakes_say_what_to_write(provision: CommandLine, line: str, says: str) -> None:
    assert says in provision(line, expect=3).err
