"""Checks a Kubernetes recipe of scripts/deploy, against the API's own schema and its parts against each other, and prints
how its pod would be started, as JSON, for a test that does so.

`deploy_kubernetes.py FILE LIBRARY CONFIGURATION`: LIBRARY is where the library lies in the image it is copied out of.
"""

import json
import sys

import kubernetes_validate
import yaml


def named(items):
    names = [item["name"] for item in items]
    assert len(names) == len(set(names)), names
    return dict(zip(names, items))


def folder(path):
    return path.rpartition("/")[0]


def check(documents, configuration):
    for document in documents:
        # The newest schema that is known, with no member that it does not know.
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    kinds = {document["kind"]: document for document in documents}
    assert len(kinds) == len(documents), "one of each kind"
    settings = kinds.pop("ConfigMap", None)
    (workload,) = kinds.values()
    spec = workload["spec"]["template"]["spec"]
    if workload["kind"] == "Deployment":
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items()

    (init,) = spec["initContainers"]
    (main,) = spec["containers"]
    volumes = named(spec["volumes"])
    mounts = [{mount["mountPath"]: mount for mount in container["volumeMounts"]} for container in (init, main)]
    for paths in mounts:
        assert {mount["name"] for mount in paths.values()} <= volumes.keys()
    used = {mount["name"] for paths in mounts for mount in paths.values()}
    assert used == volumes.keys(), "a volume that nobody mounts"

    # The library: copied by the one container where the other one has it, who cannot change it there.
    copy, source, target = init["command"]
    assert copy == "cp" and source == library
    (there,) = (mount for path, mount in mounts[0].items() if path == folder(target))
    here = mounts[1][folder(target)]
    assert here["name"] == there["name"] and "emptyDir" in volumes[here["name"]]
    assert here["readOnly"] and not there.get("readOnly")

    # Every program has it preloaded by one of the two ways.
    environment = {name: variable["value"] for name, variable in named(main["env"]).items()}
    files = {}
    for path, mount in mounts[1].items():
        if "configMap" in volumes[mount["name"]]:
            source = volumes[mount["name"]]["configMap"]
            assert source["name"] == settings["metadata"]["name"] and mount["readOnly"]
            assert source["defaultMode"] & 0o222 == 0 and source["defaultMode"] & 0o444 == 0o444
            files[path] = settings["data"][mount["subPath"]]
    if settings:
        assert "LD_PRELOAD" not in environment
        assert files == {"/etc/ld.so.preload": target + "\n", "/etc/forkguard.conf": configuration}
        exit_code = "86" if "!FORKGUARD_EXIT_CODE=86\n" in configuration else None
    else:
        assert environment["LD_PRELOAD"] == target and not files
        exit_code = environment["FORKGUARD_EXIT_CODE"]
    assert exit_code == "86"

    # The report is the message; the job's rule is about the code it ends with, in that container.
    assert environment["FORKGUARD_REPORT"] == "text:" + main["terminationMessagePath"]
    assert main["terminationMessagePolicy"] == "FallbackToLogsOnError"
    if workload["kind"] == "Job":
        assert spec["restartPolicy"] == "Never"
        (rule,) = workload["spec"]["podFailurePolicy"]["rules"]
        assert rule["onExitCodes"]["containerName"] == main["name"]
        assert rule["onExitCodes"]["values"] == [int(exit_code)]

    # What a namespace with the restricted standard asks for, and a root that nobody writes.
    user = spec["securityContext"]
    assert user["runAsNonRoot"] and user["runAsUser"] > 0 and user["seccompProfile"]["type"] == "RuntimeDefault"
    for container in (init, main):
        confined = container["securityContext"]
        assert confined["readOnlyRootFilesystem"] and confined["allowPrivilegeEscalation"] is False
        assert confined["capabilities"] == {"drop": ["ALL"]}
    return {
        "user": user["runAsUser"],
        "group": user["runAsGroup"],
        "init": init["command"],
        "library": target,
        "environment": environment,
        "files": files,
        "message": main["terminationMessagePath"],
    }


recipe, library, configuration = sys.argv[1:]
with open(recipe) as text, open(configuration) as settings:
    print(json.dumps(check(list(yaml.safe_load_all(text)), settings.read())))
