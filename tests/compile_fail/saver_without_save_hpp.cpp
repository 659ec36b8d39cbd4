// expect: a program that saves or restores includes <tenon/save.hpp>
#ifdef TENON_MISTAKE
#include <tenon/tenon.hpp>
#else
#include <tenon/save.hpp>
#endif

int main() {
    const tenon::Variable<float, tenon::Shape<2>> w{"w", tenon::zeros()};
    const tenon::Saver saver{w};
    static_cast<void>(saver);
}
