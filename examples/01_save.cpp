// Save two variables, then a small graph with placeholders, each as four files.
#include <tenon/save.hpp>

#include <iostream>

using namespace tenon;

int main() {
    Session session;

    Variable<float, Shape<2>> w1{"w1", random_normal()};
    Variable<float, Shape<5>> w2{"w2", random_normal()};
    Saver saver{w1, w2};
    std::cout << saver.save(session, "my_model", {.global_step = 1000}) << '\n';

    // A graph is named by its roots; everything they reach belongs to it, and all its variables are saved.
    Placeholder<float, Shape<>> a{"w1"}, b{"w2"};
    Variable<float, Shape<>> b1{"bias", constant(2.0f)};
    auto op_to_restore = named("op_to_restore", (a + b) * b1);
    Graph graph{op_to_restore};
    std::cout << session.run(op_to_restore, feed(a, 4.0f), feed(b, 8.0f)) << '\n';
    std::cout << Saver{graph}.save(session, "my_test_model", {.global_step = 1000}) << '\n';

    for (const auto& v : list_variables("my_model-1000")) std::cout << v.name << ' ' << name_of(v.dtype) << ' ' << to_string(v.shape) << '\n';
    std::cout << load_variable("my_test_model-1000", "bias") << '\n';
}

// Output:
// my_model-1000
// 24.0
// my_test_model-1000
// w1 float32 [2]
// w2 float32 [5]
// 2.0
