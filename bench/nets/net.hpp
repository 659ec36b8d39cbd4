// What the headers beside this one give: a net as a user writes it, with its numbers and its batch.
#pragma once
#include "../numbers.hpp"
#include "../protocol.hpp"

#include <tenon/tenon.hpp>

namespace bench {

/// What a step computes, what it changes, and what it is fed.
struct Net {
    tenon::Output value;    ///< the loss, or what is inferred
    tenon::Output train{};  ///< absent where nothing is learnt
    std::vector<tenon::Feed> feeds{};

    std::vector<tenon::Output> fetches() const { return train ? std::vector{value, train} : std::vector{value}; }
};

inline tenon::Tensor numbers(const tenon::Dims& dims, float scale, int seed, float plus = 0) {
    tenon::Tensor t(tenon::DType::float32, dims);
    numbers(t.data<float>(), static_cast<std::size_t>(t.size()), scale, seed, plus);
    return t;
}
inline tenon::Tensor one_hot(std::int64_t batch, std::int64_t classes) {
    tenon::Tensor t(tenon::DType::float32, {batch, classes});
    one_hot(t.data<float>(), static_cast<std::size_t>(batch), static_cast<std::size_t>(classes));
    return t;
}
inline tenon::Tensor filled(const tenon::Dims& dims, float value) {
    tenon::Tensor t(tenon::DType::float32, dims);
    std::fill_n(t.data<float>(), t.size(), value);
    return t;
}

/// A session of a net: calling it is one step.
class Model {
    std::shared_ptr<tenon::Session> session_;
    std::shared_ptr<tenon::Callable> step_;
    Model(const Net& net, std::shared_ptr<tenon::Session> session) : session_(std::move(session)), step_(std::make_shared<tenon::Callable>(session_->make_callable(net.fetches(), net.feeds))) {}

public:
    explicit Model(const Net& net) : Model(net, std::make_shared<tenon::Session>(tenon::Graph(net.fetches()))) {}
    Model(const Net& net, tenon::SessionOptions options) : Model(net, std::make_shared<tenon::Session>(tenon::Graph(net.fetches()), options)) {}
    float operator()() const {
        (*step_)();
        return step_->result<float>(0)[0];
    }
    const tenon::Plan& plan() const { return step_->plan(); }
};

}  // namespace bench
