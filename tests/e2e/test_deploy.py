"""`artifact-store deploy` as the documents that users come from show it, with the real provider."""

from __future__ import annotations

from emulator import REGION, Emulator
from world import World

# The emulator's service answers lifecycle rules only after a minute.
NO_RULES = '--lifecycle={"noncurrent_days": null, "abort_multipart_days": null}'


def test_a_store_is_deployed_by_its_name_and_flavor_alone(aws: World, cloud: Emulator) -> None:
    surroundings = {"AWS_REGION": REGION, "AWS_ENDPOINT_URL": cloud.url}

    done = aws.provision(
        "artifact-store",
        "deploy",
        "s3_artifact_store",
        "--flavor=s3",
        NO_RULES,
        "-y",
        environment=surroundings,
    )

    assert f"took --region={REGION} from AWS_REGION" in done.err
    assert [name.startswith("s3-artifact-store-") for name in cloud.buckets()] == [True]
    works = aws.provision("artifact-store", "verify", "s3_artifact_store", environment=surroundings)
    assert works.out == "s3_artifact_store works: write, read, list, delete.\n"
    described = aws.provision("artifact-store", "describe", "s3_artifact_store", "--format=json").json
    assert described["managed_by"] == "s3-artifact-store"

    refused = aws.provision("artifact-store", "delete", "s3_artifact_store", expect=3)
    assert "is managed by the manifest of 's3-artifact-store'" in refused.err
