// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/error.hpp>

#include <coproc/detail/type_name.hpp>

#include <csignal>
#include <cstdlib>
#include <cxxabi.h>
#include <string_view>
#include <typeinfo>

namespace coproc {
namespace {

const char* timeout_text(timeout_kind kind) {
    switch (kind) {
    case timeout_kind::queued:
        return "coproc: the task did not start within its queue_timeout";
    case timeout_kind::running:
        return "coproc: the task was stopped, it ran past its timeout";
    case timeout_kind::waiting:
        break;
    }
    return "coproc: gave up waiting";
}

std::string lost_text(const detail::failure_info& where, int exit_code) {
    std::string text = "coproc: worker ";
    if (!where.worker_name.empty()) text += '"' + where.worker_name + "\" ";
    text += "(pid " + std::to_string(where.worker_pid) + ") ";
    if (exit_code < 0)
        text += "was killed by " + detail::signal_name(-exit_code);
    else
        text += "exited with code " + std::to_string(exit_code);
    text += " while running ";
    text += where.label.empty() ? "a task" : "task \"" + where.label + '"';
    if (where.index != 0) text += ", item " + std::to_string(where.index);
    return text;
}

void append_indented(std::string& out, std::string_view text) {
    while (!text.empty()) {
        const auto end = text.find('\n');
        out += "  ";
        out += text.substr(0, end);
        out += '\n';
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
}

void append_where(std::string& out, const task_failure& failure) {
    const std::string frames = failure.backtrace();
    out += "Traceback (most recent call first) from ";
    out += failure.worker_name().empty() ? "a worker" : "worker \"" + failure.worker_name() + '"';
    if (failure.worker_pid() != 0) out += " (pid " + std::to_string(failure.worker_pid()) + ')';
    if (!failure.label().empty()) out += ", task \"" + failure.label() + '"';
    out += ", item " + std::to_string(failure.index()) + ":\n";
    append_indented(out, frames.empty() ? std::string_view{"(no frames were recorded)"} : frames);
}

constexpr int most_causes = 32;

void append_exception(std::string& out, const std::exception_ptr& exception, int depth) {
    std::string what;
    std::string type;
    const auto describe = [&](const std::exception* as_std) {
        type = detail::current_exception_type_name();
        const char* const text = as_std != nullptr ? as_std->what() : nullptr;
        if (text != nullptr) what = text;
    };
    const auto cause_first = [&](const std::exception& e) {
        const auto* nested = dynamic_cast<const std::nested_exception*>(&e);
        if (nested == nullptr || nested->nested_ptr() == nullptr || depth == most_causes) return;
        append_exception(out, nested->nested_ptr(), depth + 1);
        out += "\nThe above exception was the cause of the following one:\n\n";
    };
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception& e) {
        cause_first(e);
        if (const auto* failure = dynamic_cast<const task_failure*>(&e))
            append_where(out, *failure);
        describe(&e);
    } catch (const task_failure& failure) { // a registered type without a std base
        append_where(out, failure);
        describe(nullptr);
    } catch (...) {
        describe(nullptr);
    }
    out += type;
    if (!what.empty()) out += ": " + what;
    out += '\n';
}

} // namespace

task_failure::~task_failure() = default;

timeout_error::timeout_error(timeout_kind kind) : error{timeout_text(kind)}, kind_{kind} {}

worker_lost_error::worker_lost_error(const detail::failure_info& where, int exit_code)
    : worker_lost_error{where, exit_code, lost_text(where, exit_code)} {}

std::string worker_lost_error::signal_name() const {
    return exit_code_ < 0 ? detail::signal_name(-exit_code_) : std::string{};
}

std::string format_exception(const std::exception_ptr& exception) {
    std::string out;
    if (exception != nullptr) append_exception(out, exception, 0);
    return out;
}

namespace detail {

std::string signal_name(int signal) {
    switch (signal) {
    case SIGHUP:
        return "SIGHUP";
    case SIGINT:
        return "SIGINT";
    case SIGQUIT:
        return "SIGQUIT";
    case SIGILL:
        return "SIGILL";
    case SIGTRAP:
        return "SIGTRAP";
    case SIGABRT:
        return "SIGABRT";
    case SIGBUS:
        return "SIGBUS";
    case SIGFPE:
        return "SIGFPE";
    case SIGKILL:
        return "SIGKILL";
    case SIGUSR1:
        return "SIGUSR1";
    case SIGSEGV:
        return "SIGSEGV";
    case SIGUSR2:
        return "SIGUSR2";
    case SIGPIPE:
        return "SIGPIPE";
    case SIGALRM:
        return "SIGALRM";
    case SIGTERM:
        return "SIGTERM";
    case SIGCHLD:
        return "SIGCHLD";
    case SIGCONT:
        return "SIGCONT";
    case SIGSTOP:
        return "SIGSTOP";
    case SIGXCPU:
        return "SIGXCPU";
    case SIGXFSZ:
        return "SIGXFSZ";
    case SIGVTALRM:
        return "SIGVTALRM";
    case SIGPROF:
        return "SIGPROF";
    case SIGSYS:
        return "SIGSYS";
    default:
        return "signal " + std::to_string(signal);
    }
}

std::string demangle(const char* mangled) {
    int status = 0;
    char* name = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
    if (name == nullptr) return mangled;
    std::string result{name};
    std::free(name);
    return result;
}

namespace {

/// "E" out of "wrapper<E>".
bool unwrap(std::string& name, std::string_view wrapper) {
    if (!name.starts_with(wrapper) || name.back() != '>') return false;
    name.pop_back();
    name.erase(0, wrapper.size());
    while (name.ends_with(' '))
        name.pop_back();
    return true;
}

} // namespace

std::string unwrapped_type_name(const std::type_info& type) {
    std::string name = demangle(type.name());
    unwrap(name, "coproc::detail::with_cause<");
    if (!unwrap(name, "coproc::detail::worded<")) unwrap(name, "coproc::detail::failed<");
    if (!unwrap(name, "std::_Nested_exception<")) unwrap(name, "std::__1::__nested<");
    if (name == "std::__ios_failure" || name == "std::ios_base::failure[abi:cxx11]" ||
        name == "std::__1::ios_base::failure")
        return "std::ios_base::failure";
    // The inline namespaces of the library's versions are nobody's concern.
    for (const std::string_view inlined : {"__cxx11::", "__1::", "_V2::"})
        if (const auto at = name.find(inlined);
            name.starts_with("std::") && at != std::string::npos)
            name.erase(at, inlined.size());
    return name;
}

std::string current_exception_type_name() {
    const std::type_info* type = abi::__cxa_current_exception_type();
    if (type == nullptr) return "an unknown exception";
    std::string name = unwrapped_type_name(*type);
    if (name == "coproc::remote_error") {
        try {
            throw;
        } catch (const remote_error& e) {
            name = e.type_name();
        } catch (...) {}
    }
    return name;
}

} // namespace detail
} // namespace coproc
