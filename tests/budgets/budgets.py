"""What compiling against tenon may cost: the table of budgets, and the programs that are measured."""

# Seconds are CPU seconds of g++ 12 at -O2 on a machine that needs this many for <Eigen/Dense>; a slower machine gets more.
EIGEN_DENSE_SECONDS = 0.8

# name: (most, unit, what it is, goal). `most` is what holds, and the test fails above it; where that is not yet the goal, the test says so.
BUDGETS = {
    "include": (1.95, "times", "#include <tenon/tenon.hpp> against #include <Eigen/Dense>", 1.5),
    "typed call": (0.015, "s", "a call of a function of tenon at a further shape", 0.015),
    "pattern": (0.35, "s", "a further pattern of statement, with its gradients", 0.4),
    "pattern text": (10_000, "bytes", "machine code of a further pattern of statement, with its gradients", 20_000),
    "text growth": (1.15, "times", "machine code of the second dozen of patterns against the first", 1.15),
    "value_and_gradient": (1.1, "s", "value_and_gradient of a perceptron of two layers", 1.0),
    "value_and_gradient again": (0.65, "s", "the same function of tensors of other shapes", 0.65),
    "20 layers": (17.5, "s", "a network of 20 layers of 20 shapes with its training step", 10.0),
    "20 layers memory": (800, "MB", "the compiler's peak", 1000),
    "import": (80.0, "s", "a program that imports a graph and compiles all kernels", 60.0),
    "import memory": (2000, "MB", "the compiler's peak", 2000),
    "import prebuilt": (4.0, "s", "the same program with the prebuilt kernels", 4.0),
}

INCLUDE = "#include <tenon/tenon.hpp>\nusing namespace tenon;\n"
UNARY = ["tanh", "exp", "sigmoid", "square"]


def layer_calls(n):
    """`n` functions, each with the same eight calls at shapes of its own."""
    text = INCLUDE
    for i in range(n):
        a, b = 8 + i, 100 + i
        text += (f"void calls_{i}() {{\n    Placeholder<float, Shape<dyn, {a}>> x{{\"x\"}};\n    Variable<float, Shape<{a}, {b}>> w{{\"w\", constant(0.1f)}};\n"
                 f"    Variable<float, Shape<{b}>> b{{\"b\", constant(0.1f)}};\n    const auto y = matmul(x, w);\n    const auto z = tanh(y + b);\n    const auto loss = mean(z);\n}}\n")
    return text


CALLS_OF_LAYER = 7  # three sources, matmul, add, tanh, mean


def patterns(n):
    """`n` functions, each with one statement of a shape of tree that no other has, and its gradients."""
    text = INCLUDE
    for i in range(n):
        f, g, h = UNARY[i % 4], UNARY[i // 4 % 4], UNARY[i // 16 % 4]
        text += (f"void pattern_{i}() {{\n    Variable<float, Shape<16>> a{{\"a\", constant(0.1f)}}, b{{\"b\", constant(0.2f)}}, c{{\"c\", constant(0.3f)}};\n"
                 f"    const auto y = {f}(a * b + {g}(c)) * {h}(b);\n    const auto [da, db, dc] = gradients(sum(y), a, b, c);\n    static_cast<void>(da), static_cast<void>(db), static_cast<void>(dc);\n}}\n")
    return text


def functions(n):
    """`n` perceptrons of two layers and a batch, all of other shapes, with their gradients on the tape."""
    text = "#include <tenon/grad/value_and_gradient.hpp>\n" + INCLUDE
    for i in range(n):
        batch, inputs, hidden = 4 + i, 2 + i, 8 + i
        text += (f"auto function_{i}(const Fixed<float, Shape<{batch}, {inputs}>>& x, const Fixed<float, Shape<{batch}, 1>>& t, const Fixed<float, Shape<{inputs}, {hidden}>>& w1, const Fixed<float, Shape<{hidden}>>& b1,\n"
                 f"    const Fixed<float, Shape<{hidden}, 1>>& w2, const Fixed<float, Shape<1>>& b2) {{\n"
                 f"    return value_and_gradient([&](auto v1, auto c1, auto v2, auto c2) {{ return mean(square(sigmoid(matmul(tanh(matmul(x, v1) + c1), v2) + c2) - t)); }})(w1, b1, w2, b2);\n}}\n")
    return text


def network(layers):
    """A chain of dense layers, each of another width, and Adam."""
    text = INCLUDE + "void network() {\n    Placeholder<float, Shape<dyn, 10>> x{\"x\"};\n    Placeholder<std::int32_t, Shape<dyn>> labels{\"labels\"};\n"
    previous, width = "x", 10
    for i in range(layers):
        text += (f"    Variable<float, Shape<{width}, {width + 1}>> w{i}{{\"w{i}\", constant(0.1f)}};\n    Variable<float, Shape<{width + 1}>> b{i}{{\"b{i}\", constant(0.1f)}};\n"
                 f"    const auto h{i} = tanh(matmul({previous}, w{i}) + b{i});\n")
        previous, width = f"h{i}", width + 1
    return text + f"    const auto loss = mean(sparse_softmax_cross_entropy_with_logits(labels, {previous}));\n    const auto train = Adam{{{{.learning_rate = 1e-3f}}}}.minimize(loss);\n    Session session;\n    static_cast<void>(train);\n}}\n"


IMPORT = """#include <tenon/import.hpp>
#include <iostream>
using namespace tenon;
int main() {
    auto [graph, saver] = import_meta_graph("my_model-1000.meta");
    Session session{graph};
    saver.restore(session, latest_checkpoint("./").value());
    std::cout << session.run("w1:0");
}
"""
