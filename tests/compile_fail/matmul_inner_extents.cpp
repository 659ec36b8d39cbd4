// expect: \[MatMul\] inner extents differ: \[2,3\] x \[4,5\]
#include <tenon/tenon.hpp>

int main() {
    tenon::Variable<float, tenon::Shape<2, 3>> x("x");
#ifdef TENON_MISTAKE
    tenon::Variable<float, tenon::Shape<4, 5>> w("w");
#else
    tenon::Variable<float, tenon::Shape<3, 5>> w("w");
#endif
    const auto y = tenon::matmul(x, w);
    static_cast<void>(y);
}
