"""`kuberay-rayjob.yaml`: plain objects and pod templates through the Kubernetes schemas, the RayJob
through the fields of KubeRay's v1 API.

The fields are those of KubeRay 1.7 (https://docs.ray.io/en/master/cluster/kubernetes/references/api.html);
an unknown one is refused, as `kubectl apply` refuses it by the operator's own definition.
"""

import shlex
import tomllib
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tests.cluster.cluster_files import ROOT, text_of

Natural = Annotated[int, Field(strict=True, ge=0)]
Positive = Annotated[int, Field(strict=True, ge=1)]
Text = Annotated[str, Field(strict=True)]
Strings = dict[Text, Text]
Object = dict[str, Any]
"""Looked at by the Kubernetes schemas below."""


class Fields(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SubmitterConfig(Fields):
    backoffLimit: Natural | None = None


class AuthOptions(Fields):
    mode: Literal["disabled", "token"] = "token"
    secretName: Text | None = None
    enableK8sTokenAuth: bool | None = None


class AutoscalerOptions(Fields):
    resources: Object | None = None
    image: Text | None = None
    imagePullPolicy: Literal["Always", "IfNotPresent", "Never"] | None = None
    securityContext: Object | None = None
    idleTimeoutSeconds: Natural | None = None
    upscalingMode: Literal["Default", "Aggressive", "Conservative"] | None = None
    version: Literal["v1", "v2"] | None = None
    env: list[Object] | None = None
    envFrom: list[Object] | None = None
    volumeMounts: list[Object] | None = None


class HeadGroupSpec(Fields):
    template: Object
    rayStartParams: Strings = {}
    headService: Object | None = None
    enableIngress: bool | None = None
    resources: Strings | None = None
    labels: Strings | None = None
    serviceType: Literal["ClusterIP", "NodePort", "LoadBalancer"] | None = None


class WorkerGroupSpec(Fields):
    groupName: Text
    template: Object
    rayStartParams: Strings = {}
    replicas: Natural = 0
    minReplicas: Natural = 0
    maxReplicas: Natural = 2**31 - 1
    idleTimeoutSeconds: Natural | None = None
    priority: int | None = None
    numOfHosts: Positive = 1
    resources: Strings | None = None
    labels: Strings | None = None


class RayClusterSpec(Fields):
    headGroupSpec: HeadGroupSpec
    workerGroupSpecs: list[WorkerGroupSpec]
    rayVersion: Text
    authOptions: AuthOptions | None = None
    enableInTreeAutoscaling: bool | None = None
    autoscalerOptions: AutoscalerOptions | None = None
    headServiceAnnotations: Strings | None = None
    gcsFaultToleranceOptions: Object | None = None
    networkPolicy: Object | None = None


class RayJobSpec(Fields):
    entrypoint: Text
    rayClusterSpec: RayClusterSpec
    submissionMode: Literal["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"] = (
        "K8sJobMode"
    )
    submitterPodTemplate: Object | None = None
    submitterConfig: SubmitterConfig | None = None
    backoffLimit: Natural = 0
    activeDeadlineSeconds: Positive | None = None
    preRunningDeadlineSeconds: Positive | None = None
    shutdownAfterJobFinishes: bool = False
    ttlSecondsAfterFinished: Natural = 0
    runtimeEnvYAML: Text | None = None
    jobId: Text | None = None
    metadata: Strings | None = None
    entrypointNumCpus: float | None = None
    entrypointNumGpus: float | None = None
    entrypointResources: Text | None = None
    suspend: bool | None = None
    managedBy: Text | None = None


class RayJob(Fields):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: Object
    spec: RayJobSpec


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    documents = list(yaml.safe_load_all(text_of("kuberay-rayjob.yaml")))
    assert len({document["kind"] for document in documents}) == len(documents)
    return {document["kind"]: document for document in documents}


@pytest.fixture(scope="module")
def job(objects) -> RayJobSpec:
    return RayJob.model_validate(objects["RayJob"]).spec


@pytest.fixture(scope="module")
def pods(job) -> dict[str, Any]:
    cluster = job.rayClusterSpec
    workers = {group.groupName: group.template for group in cluster.workerGroupSpecs}
    return {
        "submitter": job.submitterPodTemplate,
        "head": cluster.headGroupSpec.template,
        **workers,
    }


def validate(document: dict[str, Any]) -> None:
    """By the schema of the newest Kubernetes that the package has, unknown fields refused."""
    kubernetes = pytest.importorskip("kubernetes_validate")
    kubernetes.validate(document, kubernetes.latest_version(), strict=True)


@pytest.mark.parametrize("kind", ["PersistentVolumeClaim", "Secret"])
def test_plain_objects_are_valid(objects, kind):
    validate(objects[kind])


def as_object(template: dict[str, Any]) -> dict[str, Any]:
    """A pod template where the schemas know one: `PodTemplate` holds a `PodTemplateSpec`."""
    metadata = {"name": "x"}
    return {"apiVersion": "v1", "kind": "PodTemplate", "metadata": metadata, "template": template}


@pytest.mark.parametrize("name", ["submitter", "head", "gpu"])
def test_pod_templates_are_valid(pods, name):
    validate(as_object(pods[name]))


def test_a_misspelt_field_is_refused(objects, pods):
    kubernetes = pytest.importorskip("kubernetes_validate")
    template = yaml.safe_load(yaml.safe_dump(pods["gpu"]))
    template["spec"]["containers"][0]["volumeMount"] = []
    with pytest.raises(kubernetes.ValidationError, match="volumeMount"):
        validate(as_object(template))
    wrong = objects["RayJob"] | {"spec": objects["RayJob"]["spec"] | {"backofLimit": 1}}
    with pytest.raises(ValidationError, match="backofLimit"):
        RayJob.model_validate(wrong)


def test_ends_and_comes_back(job):
    """KubeRay refuses a time to live without a shutdown; each retry goes on where it was."""
    assert job.shutdownAfterJobFinishes
    assert job.ttlSecondsAfterFinished > 0
    assert job.backoffLimit >= 1


def test_no_pod_runs_as_root_or_may_become_it(pods, job):
    contexts = [job.rayClusterSpec.autoscalerOptions.securityContext]
    for pod in pods.values():
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] == 1000  # the user of the image
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        contexts += [container["securityContext"] for container in pod["spec"]["containers"]]
    for context in contexts:  # what the Pod Security Standard "restricted" asks for
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}


def test_gpus_are_asked_for_by_workers_and_trials_alike(job, pods):
    resources = pods["gpu"]["spec"]["containers"][0]["resources"]
    assert resources["limits"]["nvidia.com/gpu"] == resources["requests"]["nvidia.com/gpu"] == "1"
    assert job.rayClusterSpec.headGroupSpec.rayStartParams["num-gpus"] == "0"
    words = shlex.split(job.entrypoint)
    assert words[words.index("--gpus-per-trial") + 1] == "1"
    assert words[words.index("--address") + 1] == "auto"
    (group,) = job.rayClusterSpec.workerGroupSpecs
    assert group.minReplicas <= group.replicas <= group.maxReplicas


def test_head_and_workers_see_one_folder_and_one_secret(objects, job, pods):
    claim, secret = (objects[kind]["metadata"] for kind in ("PersistentVolumeClaim", "Secret"))
    assert objects["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteMany"]
    assert {document["metadata"]["namespace"] for document in objects.values()} == {"harness"}
    folders = [word for word in shlex.split(job.entrypoint) if word.startswith("/")]
    for name in ("head", "gpu"):
        spec = pods[name]["spec"]
        (container,) = spec["containers"]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
        assert mounts["/shared"]["persistentVolumeClaim"]["claimName"] == claim["name"]
        assert container["envFrom"] == [{"secretRef": {"name": secret["name"]}}]
        assert all(folder.startswith("/shared/") for folder in folders)


def test_the_secret_is_a_template(objects):
    secret = objects["Secret"]["stringData"]
    assert all(
        not value for name, value in secret.items() if name.endswith(("KEY", "KEY_ID", "WORD"))
    )


def test_token_authentication_and_the_ray_of_the_tests(job):
    assert job.rayClusterSpec.authOptions.mode == "token"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert (
        f"ray=={job.rayClusterSpec.rayVersion}" in project["tool"]["uv"]["constraint-dependencies"]
    )
