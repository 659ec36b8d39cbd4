// Where the time of a step goes: every kernel of a plan timed in its place, the least of many runs, those of one op and shape together.
// Prints Markdown.
//
//     steps [NAME]    one of the nets below; mlp_mnist if nothing is said. resnet50_infer1 is that of the folder RESNET50
#include "nets/cnn.hpp"
#include "nets/lstm.hpp"
#include "nets/mlp.hpp"
#include "nets/resnet.hpp"

#include <map>

using namespace tenon;

namespace {

const std::map<std::string, std::function<bench::Net()>> nets{
    {"mlp_tiny", bench::tiny_mlp},
    {"mlp_mnist", [] { return bench::classifier(); }},
    {"mlp_wide", [] { return bench::wide_mlp(); }},
    {"cnn_train50", [] { return bench::cnn(50, true); }},
    {"cnn_infer1", [] { return bench::cnn(1, false); }},
    {"cnn_infer50", [] { return bench::cnn(50, false); }},
    {"lstm_forward", [] { return bench::lstm(false); }},
    {"lstm_train", [] { return bench::lstm(true); }},
    {"resnet50_infer1", [] { return bench::resnet50(std::getenv("RESNET50") ? std::getenv("RESNET50") : "."); }},
};

/// "MatMul [64,784] [784,128] -> [64,128]": the last op of what a kernel computes, with what it reads and writes.
std::string describe_kernel(const Operation& of, const Call& call) {
    std::string text(of.table->name);
    std::size_t shown = 0;
    for (const auto& in : call.in)
        if (shown++ < 4) text += ' ' + to_string(in->dims);
        else if (shown == 5) text += " ..";
    text += " ->";
    shown = 0;
    for (const auto& out : call.out)
        if (shown++ < 2) text += ' ' + to_string(out->dims);
    return text;
}

double least(const std::vector<double>& times) { return *std::min_element(times.begin(), times.end()); }

std::string digits(double us) {
    char text[32];
    std::snprintf(text, sizeof text, us >= 100 ? "%.0f" : "%.3g", us);
    return text;
}

struct Line {
    std::string what;
    long kernels = 0;
    double us = 0;
};

}  // namespace

int main(int argc, char** argv) {
    const std::string name = argc > 1 ? argv[1] : "mlp_mnist";
    if (!nets.contains(name)) return std::fprintf(stderr, "steps: no net %s\n", name.c_str()), 1;
    const bench::Net net = nets.at(name)();
    Session session{Graph(net.fetches())};
    const Callable step = session.make_callable(net.fetches(), net.feeds);

    std::vector<std::string> kernels;
    step.plan().run_each(net.feeds, [&](const Operation& of, Kernel kernel, const Call& call) {
        kernels.push_back(describe_kernel(of, call));
        kernel(call);
    });
    const double start = bench::now();
    step();
    const int runs = std::clamp(int(2 / (bench::now() - start)), 15, 2000);
    std::vector<std::vector<double>> times(kernels.size());
    std::vector<double> whole, clock;
    for (int r = 0; r < runs; ++r) {  // a run with the clock in it, and one without, in turn
        std::size_t i = 0;
        step.plan().run_each(net.feeds, [&](const Operation&, Kernel kernel, const Call& call) {
            const double before = bench::now();
            kernel(call);
            times[i++].push_back(bench::now() - before);
        });
        double before = bench::now();
        step();
        whole.push_back(bench::now() - before);
        before = bench::now();
        clock.push_back(bench::now() - before);
    }

    std::vector<Line> lines;
    double sum = 0;
    for (std::size_t i = 0; i < kernels.size(); ++i) {
        const double us = std::max(0., least(times[i]) - least(clock)) * 1e6;
        auto line = std::find_if(lines.begin(), lines.end(), [&](const Line& l) { return l.what == kernels[i]; });
        if (line == lines.end()) line = lines.insert(lines.end(), Line{kernels[i]});
        ++line->kernels, line->us += us, sum += us;
    }
    std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.us > b.us; });
    std::printf("%s: %s us a step (least; median %s), %s us in its %zu kernels, %zu KiB of memory beside variables\n\n", name.c_str(), digits(least(whole) * 1e6).c_str(), digits(bench::median(whole) * 1e6).c_str(),
                digits(sum).c_str(), kernels.size(), step.plan().arena_bytes() / 1024);
    std::printf("| kernel | how many | us | share |\n| --- | --- | --- | --- |\n");
    for (const Line& l : lines) std::printf("| %s | %ld | %s | %.1f %% |\n", l.what.c_str(), l.kernels, digits(l.us).c_str(), 100 * l.us / sum);
}
