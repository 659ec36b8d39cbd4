// What programs of tenon cost, as numbers that do not depend on the clock. check.py runs this under valgrind, and says what each number is held to.
//
//     figures plans          MACHINE, COMPILER, EIGEN, LIBRARY; then per net its kernels, the bytes that they read and write, and those of its arena, variables and feeds
//     figures step NET N     N steps inside measured(); of the net `import`: N times the import of a graph of 1,000 nodes
//     figures again          allocations and locks, and whether the system was called: one of each on purpose, then those of five steps of every net that has run before. Needs counted.cpp
//     figures files FOLDER   a save, a restore, and further steps, with a call of getppid() before, between and behind
//     figures memory NET     the most memory in KiB that the process held until five steps had run
#include "bench/nets/cnn.hpp"
#include "bench/nets/lstm.hpp"
#include "bench/nets/mlp.hpp"

#include <tenon/graph/import.hpp>
#include <tenon/save.hpp>

#include <fstream>
#include <gnu/libc-version.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <mutex>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/// Of counted.cpp.
extern "C" [[gnu::weak]] long counted_allocations();
extern "C" [[gnu::weak]] long counted_locks();

namespace {

using bench::Net;

const std::pair<const char*, std::function<Net()>> nets[]{
    {"tiny", bench::tiny_mlp}, {"mnist", [] { return bench::classifier(); }}, {"wide", [] { return bench::wide_mlp(); }}, {"cnn", [] { return bench::cnn(50, true); }}, {"lstm", [] { return bench::lstm(true); }},
};
/// A chain of nodes that have what TensorFlow's have: long names, a control edge, the extents of what they give.
bench::Step import_of(int nodes) {
    using namespace tenon;
    const auto name = [](int i) { return "a/scope/of/a/net/node_" + std::to_string(i); };
    proto::MetaGraphDef meta;
    auto& list = meta.graph_def.emplace().node;
    for (int i = 0; i < nodes; ++i) {
        auto& n = list.emplace_back();
        n.name = name(i);
        n.op = "Identity";
        n.input = {name(i > 0 ? i - 1 : nodes - 1), "^" + name(i / 2)};
        if (i == 0) n.op = "VariableV2", n.input.clear();
        n.attr["T"] = proto::attr_value(DType::float32);
        n.attr["_output_shapes"] = proto::attr_value(std::vector<Dims>{{dyn, 8}});
    }
    return [bytes = proto::encode(meta)] { return static_cast<float>(import_graph(std::make_shared<const Imported>(bytes, "import"), index_of<OpList<OpRow<Identity, Types<float>>>>()).operations().size()); };
}
/// What is run again beside `nets`.
constexpr const char* others[]{"tiny_function", "cnn_inference", "lstm_inference"};
bench::Step step_of(std::string_view name) {
    if (name == "import") return import_of(1000);
    if (name == "tiny_function") return bench::tiny_mlp_function();
    if (name == "cnn_inference") return bench::Model(bench::cnn(1, false));
    if (name == "lstm_inference") return bench::Model(bench::lstm(false));
    for (const auto& [known, net] : nets) if (name == known) return bench::Model(net());
    throw std::runtime_error("no net is called " + std::string(name));
}

void plans() {
    static constexpr const char* kinds[]{"portable", "avx2", "avx512"};
    std::printf("machine %s\ncompiler %s\neigen %d.%d.%d\nlibrary %s\n", kinds[static_cast<int>(tenon::machine())], __VERSION__, EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION, gnu_get_libc_version());
    for (const auto& [name, make] : nets) {
        const Net net = make();
        const bench::Model model(net);
        std::size_t variables = 0, feeds = 0, touched = 0;
        const auto touch = [&](const auto& refs) { for (const auto* r : refs) touched += static_cast<std::size_t>(r->dims.size()) * tenon::bytes_of(r->dtype); };
        model.plan().run_each(net.feeds, [&](const tenon::Operation&, tenon::Kernel, const tenon::Call& call) { touch(call.in), touch(call.out); });  // nothing is run
        for (const auto& v : tenon::Graph(net.fetches()).variables()) variables += v.operation->state->value.bytes();
        for (const auto& f : net.feeds) feeds += f.value.bytes();
        std::printf("%s.kernels %zu\n%s.touched %zu\n%s.arena %zu\n%s.variables %zu\n%s.feeds %zu\n", name, model.plan().kernels(), name, touched, name, model.plan().arena_bytes(), name, variables, name, feeds);
    }
}

/// 1 if f calls the system: a process of its own does it, which the kernel ends at any call but that of its end.
int calls_system(const std::function<void()>& f) {
    const pid_t child = ::fork();
    if (child == 0) {
        sock_filter rules[]{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
        const sock_fprog all{static_cast<unsigned short>(std::size(rules)), rules};
        if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all)) ::_exit(1);
        f();
        ::_exit(0);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child || (WIFEXITED(status) && WEXITSTATUS(status))) throw std::runtime_error("calls of the system cannot be watched here");
    return WIFSIGNALED(status);
}

void again() {
    if (!counted_allocations || !counted_locks) throw std::runtime_error("this program does not count: link it with counted.cpp");
    const auto tell = [](const char* name, const std::function<void()>& f, const std::function<void()>& alone) {
        const long allocations = counted_allocations(), locks = counted_locks();
        f();
        const long all = counted_allocations() - allocations, taken = counted_locks() - locks;
        std::printf("%s.allocations %ld\n%s.locks %ld\n%s.calls %d\n", name, all, name, taken, name, calls_system(alone));
        std::fflush(stdout);  // before the next fork
    };
    const auto lock = [] {
        std::mutex mutex;
        const std::lock_guard held(mutex);
        ::operator delete(::operator new(1));
    };
    tell("on_purpose", lock, [] { ::syscall(SYS_getppid); });
    const auto steps = [&](const char* name) {
        const auto step = step_of(name);
        step(), step();
        const auto five = [&] { for (int i = 0; i < 5; ++i) step(); };
        tell(name, five, five);
    };
    for (const auto& [name, net] : nets) steps(name);
    for (const char* name : others) steps(name);
}

void mark() { ::syscall(SYS_getppid); }
void files(const std::string& folder) {
    const Net net = bench::classifier();
    const tenon::Graph graph(net.fetches());
    tenon::Session session(graph);
    tenon::Saver saver(graph);
    saver.save(session, folder + "/warm");
    const auto step = session.make_callable(net.fetches(), net.feeds);
    const bench::Model tiny(bench::tiny_mlp());
    step(), tiny();
    mark();
    const auto prefix = saver.save(session, folder + "/model");
    mark();
    saver.restore(session, prefix);
    mark();
    for (int i = 0; i < 3; ++i) step();
    for (int i = 0; i < 100; ++i) tiny();
    mark();
}

void memory(std::string_view name) {
    ::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);  // pages of 2 MiB would be what is measured
    const auto step = step_of(name);
    for (int i = 0; i < 5; ++i) step();
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) if (line.starts_with("VmHWM:")) std::printf("%s\n", line.c_str() + 6);
}

}  // namespace

/// What is counted while it runs.
extern "C" [[gnu::noinline]] void measured(const bench::Step& step, int n) {
    for (int i = 0; i < n; ++i) step();
}

int main(int count, char** words) {
    const std::vector<std::string> said(words + 1, words + count);
    if (said == std::vector<std::string>{"plans"}) return plans(), 0;
    if (said == std::vector<std::string>{"again"}) return again(), 0;
    if (said.size() == 3 && said[0] == "step") {
        const auto step = step_of(said[1]);
        step(), step();
        return measured(step, std::stoi(said[2])), 0;
    }
    if (said.size() == 2 && said[0] == "files") return files(said[1]), 0;
    if (said.size() == 2 && said[0] == "memory") return memory(said[1]), 0;
    std::fprintf(stderr, "usage: figures plans | again | step NET N | files FOLDER | memory NET\n");
    return 2;
}
