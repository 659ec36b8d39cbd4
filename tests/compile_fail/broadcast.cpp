// expect: \[Add(V2)?\] shapes do not broadcast: \[dyn,3\] and \[4\]
#include <tenon/tenon.hpp>

int main() {
    tenon::Placeholder<float, tenon::Shape<tenon::dyn, 3>> x("x");
#ifdef TENON_MISTAKE
    tenon::Variable<float, tenon::Shape<4>> b("b");
#else
    tenon::Variable<float, tenon::Shape<3>> b("b");
#endif
    const auto y = tanh(x + b);
    static_cast<void>(y);
}
