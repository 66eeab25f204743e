"""Tests that the client's protobuf messages equal those of TensorFlow Serving."""

from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    status_pb2,
)

from serving.client import protos

ORIGINALS = {
    "TensorShapeProto": tensor_shape_pb2.TensorShapeProto,
    "TensorProto": tensor_pb2.TensorProto,
    "ModelSpec": model_pb2.ModelSpec,
    "PredictRequest": predict_pb2.PredictRequest,
    "PredictResponse": predict_pb2.PredictResponse,
    "GetModelStatusRequest": get_model_status_pb2.GetModelStatusRequest,
    "StatusProto": status_pb2.StatusProto,
    "ModelVersionStatus": get_model_status_pb2.ModelVersionStatus,
    "GetModelStatusResponse": get_model_status_pb2.GetModelStatusResponse,
}


def descriptor_of(original: Any) -> descriptor_pb2.DescriptorProto:
    descriptor = descriptor_pb2.DescriptorProto()
    original.DESCRIPTOR.CopyToProto(descriptor)
    return descriptor


def assert_part_of(ours: Any, theirs: Any) -> None:
    """Assert that all fields of `ours` exist in `theirs` with the same number, type and label."""
    fields = {field.name: field for field in theirs.field}
    for field in ours.field:
        original = fields[field.name]
        assert (field.number, field.label) == (original.number, original.label), field.name
        # An enum is encoded as an integer. The client declares the code of a status as int32.
        kinds = {field.type, original.type}
        assert len(kinds) == 1 or kinds == {field.TYPE_ENUM, field.TYPE_INT32}, field.name
        assert field.HasField("oneof_index") == original.HasField("oneof_index"), field.name
        if field.type_name.startswith(".google.protobuf."):
            assert field.type_name == original.type_name
        elif field.type == original.type:
            names = [f.type_name.rpartition(".")[2] for f in (field, original)]
            assert names[0] == names[1], field.name
    nested = {message.name: message for message in theirs.nested_type}
    for message in ours.nested_type:
        assert message.options == nested[message.name].options
        assert_part_of(message, nested[message.name])
    enums = {enum.name: enum for enum in theirs.enum_type}
    for enum in ours.enum_type:
        assert list(enum.value) == list(enums[enum.name].value)


def test_every_message_is_compared() -> None:
    assert {message.name for message in protos.FILE_DESCRIPTOR.message_type} == set(ORIGINALS)


@pytest.mark.parametrize("name", ORIGINALS)
def test_messages(name: str) -> None:
    [ours] = [message for message in protos.FILE_DESCRIPTOR.message_type if message.name == name]
    assert_part_of(ours, descriptor_of(ORIGINALS[name]))


def test_types_of_tensors() -> None:
    for name, value in protos.DataType.items():
        assert value.number == types_pb2.DataType.Value(name)


def test_a_request_is_parsed_by_tensorflow_serving() -> None:
    ours = protos.PredictRequest(output_filter=["genres"])
    ours.model_spec.name = "movie_genres"
    ours.model_spec.version.value = 3
    ours.inputs["year"].dtype = protos.DataType["DT_FLOAT"].number
    ours.inputs["year"].float_val.append(1957.0)
    theirs = predict_pb2.PredictRequest.FromString(ours.SerializeToString())
    assert theirs.model_spec.version.value == 3
    assert list(theirs.output_filter) == ["genres"]
    assert theirs.inputs["year"].dtype == types_pb2.DT_FLOAT
    assert list(theirs.inputs["year"].float_val) == [1957.0]


@pytest.mark.parametrize(
    ("stub", "service", "method"),
    [
        (
            prediction_service_pb2_grpc.PredictionServiceStub,
            "PredictionService",
            "Predict",
        ),
        (model_service_pb2_grpc.ModelServiceStub, "ModelService", "GetModelStatus"),
    ],
)
def test_methods_have_the_same_paths(stub: Any, service: str, method: str) -> None:
    class RecordingChannel:
        """A channel that records the paths of the methods."""

        def __init__(self) -> None:
            self.paths: list[str] = []

        def unary_unary(self, path: str, **_: Any) -> None:
            self.paths.append(path)

        unary_stream = stream_stream = unary_unary

    original, ours = RecordingChannel(), RecordingChannel()
    stub(original)
    protos.grpc_method(ours, service, method)  # type: ignore[arg-type]
    assert set(ours.paths) <= set(original.paths)
    assert ours.paths == [f"/tensorflow.serving.{service}/{method}"]
