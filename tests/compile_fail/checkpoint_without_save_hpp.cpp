// expect: save_hpp_is_included
#ifdef TENON_MISTAKE
#include <tenon/tenon.hpp>
#else
#include <tenon/save.hpp>
#endif

int main() {
    const auto newest = tenon::latest_checkpoint("./");
#ifndef TENON_MISTAKE
    const tenon::Saver saver{tenon::Graph()};
    static_cast<void>(saver);
#endif
    static_cast<void>(newest);
}
