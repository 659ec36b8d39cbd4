"""Writes tensors.json: TensorProto messages and the elements that TensorFlow reads from them.

    python make_tensor_proto.py

A case has the message ("proto", base64), what tf.make_ndarray makes of it ("dtype", "shape", and "content", base64 of the elements in C order, or
"strings"), and "made": true if tf.make_tensor_proto made it, so that a writer can be held to the same bytes.
"""
import base64
import json
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import ml_dtypes
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

cases = []


def b64(b):
    return base64.b64encode(b).decode()


def add(name, proto, made=False):
    a = tf.make_ndarray(proto)
    case = {"name": name, "proto": b64(proto.SerializeToString(deterministic=True)), "dtype": proto.dtype, "shape": list(a.shape), "made": made}
    if proto.dtype == types_pb2.DT_STRING:
        case["strings"] = [b64(s) for s in a.reshape(-1).tolist()]
    else:
        if proto.dtype in (types_pb2.DT_INT4, types_pb2.DT_UINT4):  # their upper bits are nobody's promise
            a = a.astype(np.int8)
        case["content"] = b64(np.ascontiguousarray(a).tobytes())
    cases.append(case)


numbers = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, np.bool_,
           np.complex64, np.complex128, ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fn, ml_dtypes.int4, ml_dtypes.uint4]
for t in numbers:
    name = np.dtype(t).name
    low = 0 if np.dtype(t).kind in "bu" or name == "uint4" else -3
    many = np.arange(low, low + 6).astype(t)
    if np.dtype(t).kind == "c":
        many = many + np.asarray(1j, t) * np.arange(6).astype(t)
    for shape in [(), (1,), (6,), (2, 3), (0,), (2, 0, 3)]:
        n = int(np.prod(shape))
        add(f"{name} {list(shape)}", tf.make_tensor_proto(many[:n].reshape(shape)), made=True)
    add(f"{name} all equal", tf.make_tensor_proto(np.zeros(4, t)), made=True)
for t, values in [(np.float32, [-0.0, np.inf, -np.inf, np.nan, 1e-45, 3.4028235e38]), (np.int64, [-2**63, 2**63 - 1]), (np.uint64, [2**64 - 1]), (np.int32, [-2**31]), (np.uint32, [2**32 - 1])]:
    for v in values:
        add(f"{np.dtype(t).name} {v}", tf.make_tensor_proto(np.asarray(v, t)), made=True)
for strings in [b"", b"a", [b"", b"\x00\xff", "é".encode()], [[b"x"], [b"y"]], []]:
    add(f"string {strings}", tf.make_tensor_proto(strings, dtype=tf.string), made=True)

P = tensor_pb2.TensorProto
shape = lambda *d: tf.TensorShape(d).as_proto()
add("one value fills", P(dtype=types_pb2.DT_FLOAT, tensor_shape=shape(3, 2), float_val=[7.5]))
add("the last value repeats", P(dtype=types_pb2.DT_INT32, tensor_shape=shape(7), int_val=[1, 2, -3]))
add("the last 16 bits repeat", P(dtype=types_pb2.DT_HALF, tensor_shape=shape(5), half_val=[15360, 49152]))
add("the last byte repeats", P(dtype=types_pb2.DT_INT8, tensor_shape=shape(9), int_val=[-1, -128]))
add("the last complex number repeats", P(dtype=types_pb2.DT_COMPLEX64, tensor_shape=shape(3), scomplex_val=[1, 2, 3, 4]))
add("the last string repeats", P(dtype=types_pb2.DT_STRING, tensor_shape=shape(3), string_val=[b"a", b"b"]))
add("no value is zeros", P(dtype=types_pb2.DT_DOUBLE, tensor_shape=shape(2, 2)))
add("no value is false", P(dtype=types_pb2.DT_BOOL, tensor_shape=shape(2)))
add("content in full", P(dtype=types_pb2.DT_INT64, tensor_shape=shape(2), tensor_content=np.array([1, -1]).tobytes()))

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "tensors.json"), "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]\n")
print(len(cases), "cases")
