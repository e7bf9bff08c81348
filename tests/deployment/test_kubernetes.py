"""The Kubernetes manifests, as files; and, where kubectl is at hand, what kustomize makes of them."""

import shutil
import subprocess

import pytest
import yaml

from tests.deployment.deployed import DEPLOY, KNOWN_VARIABLES, Document, documents, manifests

ALL = list(manifests())
WORKLOADS = [m for m in ALL if m["kind"] in ("Deployment", "StatefulSet")]
PODS = {m["metadata"]["name"]: m["spec"]["template"]["spec"] for m in WORKLOADS}
COMPONENT = "app.kubernetes.io/component"
COMPONENTS = {m["spec"]["template"]["metadata"]["labels"][COMPONENT] for m in WORKLOADS}
DEPLOYMENTS = [name for name in PODS if name != "passback-redis"]


def named(kind: str) -> list[Document]:
    return [m for m in ALL if m["kind"] == kind]


@pytest.mark.parametrize("name", PODS)
def test_a_pod_can_do_little(name: str) -> None:
    """No root, no capabilities, a read-only disk, no token, and bounds on memory."""
    pod = PODS[name]
    (container,) = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
    }  # fmt: skip
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", PODS)
def test_kubernetes_adds_no_variables(name: str) -> None:
    """Service links would set PASSBACK_WEB_PORT and others, which passback takes for settings."""
    assert PODS[name]["enableServiceLinks"] is False


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_watched(name: str) -> None:
    """What hangs is restarted; what cannot serve gets no requests."""
    (container,) = PODS[name]["containers"]

    assert "livenessProbe" in container
    if name == "passback-web":
        assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_one_image_runs_everything() -> None:
    """All of passback's containers have the same image, whose tag is set in one place."""
    assert {PODS[name]["containers"][0]["image"] for name in DEPLOYMENTS} == {"passback"}


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda m: str(m["metadata"]["name"]))
def test_a_workload_selects_its_own_pods(workload: Document) -> None:
    """The selector is the label of the template."""
    spec = workload["spec"]

    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("other", [*named("Service"), *named("PodDisruptionBudget")], ids=lambda m: str(m["metadata"]))
def test_a_selector_finds_pods(other: Document) -> None:
    """Services and budgets select a component that there is; a service's port is one of its container's."""
    selector = other["spec"]["selector"]
    component = selector.get("matchLabels", selector)[COMPONENT]

    assert component in COMPONENTS
    for port in other["spec"].get("ports", ()):
        (container,) = PODS[f"passback-{component}"]["containers"]
        assert port["targetPort"] in {p["name"] for p in container["ports"]}


@pytest.mark.parametrize("policy", named("NetworkPolicy"), ids=lambda m: str(m["metadata"]["name"]))
def test_a_network_policy_names_components(policy: Document) -> None:
    """Every label that a policy selects is one that some pod has."""
    text = yaml.safe_dump(policy)
    selected = [
        value
        for pods in _pod_selectors(policy["spec"])
        for value in [
            *pods.get("matchLabels", {}).values(), *(v for e in pods.get("matchExpressions", ()) for v in e["values"])
        ]
    ]  # fmt: skip

    assert set(selected) <= COMPONENTS, text


def _pod_selectors(spec: Document) -> list[Document]:
    peers = [peer for rule in spec.get("ingress", []) for peer in rule.get("from", [])]
    peers += [peer for rule in spec.get("egress", []) for peer in rule.get("to", [])]
    return [spec["podSelector"], *(peer["podSelector"] for peer in peers if "podSelector" in peer)]


def test_nothing_is_allowed_by_default() -> None:
    """A policy closes everything, so that what is open is written down."""
    (closing,) = [p for p in named("NetworkPolicy") if p["spec"]["podSelector"] == {}]

    assert closing["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & closing["spec"].keys()


def test_settings_exist_and_secrets_are_referred_to() -> None:
    """The settings' names are known, none is a secret, and what is mounted as a secret is not in these files."""
    maps = [*named("ConfigMap"), *documents(DEPLOY / "kubernetes" / "overlays" / "production" / "settings.yaml")]
    names = {name for each in maps for name in each["data"]}

    assert names <= KNOWN_VARIABLES
    assert [name for name in names if name.endswith(("_TOKEN", "_SECRET", "_PASSWORD"))] == []
    assert named("Secret") == []
    assert all(
        {"secretName": "passback-secrets", "defaultMode": 0o440} in [v.get("secret") for v in PODS[name]["volumes"]]
        for name in DEPLOYMENTS
    )


def test_from_outside_only_the_receivers_and_the_page_inside_canvas_are_reached() -> None:
    """The example's Ingress leads to the paths that Canvas, PowerSchool and webhooks use, and to no operator's page."""
    (ingress,) = documents(DEPLOY / "kubernetes" / "overlays" / "production" / "ingress.yaml")
    (rule,) = ingress["spec"]["rules"]

    assert {path["path"]: path["pathType"] for path in rule["http"]["paths"]} == {
        "/events/canvas": "Exact", "/events/powerschool": "Exact", "/webhooks/changes": "Exact",
        "/lti/": "Prefix", "/static/": "Prefix",
    }  # fmt: skip


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")
def test_kustomize_makes_the_example() -> None:
    """The overlay renders: one namespace, one image with a tag, Redis's files as they are in deploy/redis."""
    made = subprocess.run(
        ["kubectl", "kustomize", DEPLOY / "kubernetes" / "overlays" / "production"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    rendered = [document for document in yaml.safe_load_all(made.stdout) if document]
    images = {
        container["image"]
        for m in rendered
        if m["kind"] == "Deployment"
        for container in m["spec"]["template"]["spec"]["containers"]
    }
    (redis_files,) = [m for m in rendered if m["metadata"]["name"].startswith("passback-redis-")]

    assert {m["metadata"]["namespace"] for m in rendered} == {"passback"}
    assert images == {"registry.example/passback:0.1.0"}
    assert redis_files["data"]["redis.conf"] == (DEPLOY / "redis" / "redis.conf").read_text()
