"""The rules of this tree: thin macros, so that a BUILD file says what a target is and nothing about how it is compiled."""

def strata_cc_library(name, **kwargs):
    """A library: one noun."""
    native.cc_library(name = name, **kwargs)

def strata_cc_binary(name, **kwargs):
    """A program that people run."""
    native.cc_binary(name = name, **kwargs)

# TSAN_OPTIONS in .bazelrc names it by its path below the runfiles.
_TSAN_SUPPRESSIONS = select({
    "//bazel:thread_sanitizer": ["//tools:tsan.supp"],
    "//conditions:default": [],
})

def strata_cc_test(name, deps = [], size = "small", data = [], **kwargs):
    """A GoogleTest program; gtest's main is linked in."""
    native.cc_test(
        name = name,
        size = size,
        data = data + _TSAN_SUPPRESSIONS,
        deps = deps + ["//third_party/googletest:gtest_main"],
        **kwargs
    )

def strata_cc_fuzz_test(name, srcs, corpus, deps = [], **kwargs):
    """A libFuzzer target. `bazel test` replays the corpus; with --config=fuzz the program explores."""
    native.cc_test(
        name = name,
        size = "small",
        srcs = srcs + select({
            "//bazel:fuzzing": [],
            "//conditions:default": ["//lib/testing:replay_main.cc"],
        }),
        linkopts = select({
            "//bazel:fuzzing": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        args = ["$(location %s)" % f for f in corpus],
        data = corpus + _TSAN_SUPPRESSIONS,
        deps = deps,
        **kwargs
    )

def strata_proto_library(name, srcs, deps = [], grpc = True, visibility = None):
    """C++ messages and gRPC stubs of .proto files under proto/; `deps` are other strata_proto_library targets."""
    outs = []
    hdrs = []
    ccs = []
    for src in srcs:
        stem = src[:-len(".proto")]
        hdrs.append(stem + ".pb.h")
        ccs.append(stem + ".pb.cc")
        if grpc:
            hdrs.append(stem + ".grpc.pb.h")
            ccs.append(stem + ".grpc.pb.cc")
    outs = hdrs + ccs
    native.filegroup(
        name = name + "_srcs",
        srcs = srcs + [dep + "_srcs" for dep in deps],
        visibility = visibility,
    )
    grpc_flags = "--grpc_out=$(RULEDIR)/__root --plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin" if grpc else ""
    native.genrule(
        name = name + "_gen",
        srcs = srcs + [dep + "_srcs" for dep in deps],
        outs = outs,
        # Generated files land beside the .proto in the output tree, so that includes read "proto/strata/...".
        cmd = " ".join([
            "mkdir -p $(RULEDIR)/__root &&",
            "/usr/bin/protoc -I. --cpp_out=$(RULEDIR)/__root",
            grpc_flags,
            " ".join(["$(locations %s)" % src for src in srcs]),
            "&&",
            " && ".join(["mv $(RULEDIR)/__root/%s/%s $(RULEDIR)/%s" % (native.package_name(), out, out) for out in outs]),
            "&& rm -r $(RULEDIR)/__root",
        ]),
        visibility = ["//visibility:private"],
    )
    native.cc_library(
        name = name,
        srcs = ccs,
        hdrs = hdrs,
        # Generated code is not held to our warnings.
        copts = ["-w"],
        deps = deps + ["//third_party/protobuf"] + (["//third_party/grpc"] if grpc else []),
        visibility = visibility,
    )
