"""NumPy's .npy files without NumPy, for tests that run where there is none: little-endian numbers in C order."""
import ast, math, struct

CODES = {"<f4": "f", "<f8": "d", "<i4": "i", "<i8": "q", "|b1": "?", "|u1": "B"}


def read(path):
    """(descr, shape, flat list)"""
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00", f"{path} is no .npy file of version 1"
    end = 10 + struct.unpack_from("<H", data, 8)[0]
    header = ast.literal_eval(data[10:end].decode().strip())
    assert not header["fortran_order"] and end % 64 == 0
    code = CODES[header["descr"]]
    values = list(struct.unpack(f"<{(len(data) - end) // struct.calcsize('<' + code)}{code}", data[end:]))
    assert len(values) == math.prod(header["shape"])
    return header["descr"], list(header["shape"]), values


def write(path, descr, shape, values):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {tuple(shape)}, }}\n".encode()
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + struct.pack(f"<{len(values)}{CODES[descr]}", *values))
