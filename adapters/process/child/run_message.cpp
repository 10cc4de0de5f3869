// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <child/run_message.hpp>

#include <coproc/codec.hpp>
#include <coproc/detail/backtrace.hpp>
#include <coproc/detail/exception_codec.hpp>
#include <coproc/detail/function_id.hpp>
#include <coproc/start_method.hpp>

#include <child/process_child.hpp>
#include <cstdint>
#include <stdexcept>
#include <tuple>
#include <utility>

namespace coproc::detail {
namespace {

/// name, numbers, daemon, parent's name, start method
using introduction = std::tuple<std::string, std::string, bool, std::string, start_method>;

/// The message stands in the channel until the arguments have been decoded.
class call_of_process final : public process_call {
public:
    call_of_process(endpoint& channel, reader& in) noexcept : process_call{in}, channel_{channel} {}

    void begin_item(std::uint32_t) noexcept override {}
    writer& reply(std::size_t, std::size_t) override {
        throw std::logic_error{"coproc: nobody waits for the result of a process"};
    }
    void arguments_taken() override {
        channel_.pop();
        channel_.send(message_kind::ready);
    }
    child_ptr self() override { return child_ptr{new process_child}; }

private:
    endpoint& channel_;
};

} // namespace

std::vector<std::byte> encode_introduction(const process_identity& of) {
    return to_bytes(
        introduction{of.name, of.numbers, of.daemon, own_identity().name, get_start_method()});
}

void accept_introduction(reader& in) {
    auto [name, numbers, daemon, parent, method] = decode<introduction>(in);
    set_identity({std::move(name), std::move(numbers), daemon, std::move(parent)});
    set_start_method(method);
}

process_identity identity_of_worker(const std::string& name) {
    return {name, name, true, {}}; // its name, so that its processes' names are unique
}

run_message::run_message(const process_options& settings, const std::string& numbers,
                         const process_job& job)
    : introduction_{encode_introduction({settings.name, numbers, settings.daemon, {}})}, job_{job} {
    sizer s;
    size_function(s, reinterpret_cast<const void*>(job.remote()));
    job.size(s);
    job_bytes_ = s.size();
}

void run_message::send(endpoint& channel) const {
    const std::string& build = program_build_id();
    sizer catchers;
    exception_registry::size(catchers, 0);
    std::vector<std::byte> known(catchers.size());
    writer own{known};
    exception_registry::encode(own, 0);

    sizer s;
    for (const std::size_t part : {build.size(), known.size(), introduction_.size()})
        s.bytes(sizeof(std::uint64_t) + part);
    s.bytes(job_bytes_);
    channel.send(message_kind::run, 0, 0, s.size(), [&](writer& w) {
        w.raw(static_cast<std::uint64_t>(build.size()));
        w.bytes(build.data(), build.size());
        for (const std::vector<std::byte>* part : {&std::as_const(known), &introduction_}) {
            w.raw(static_cast<std::uint64_t>(part->size()));
            w.bytes(part->data(), part->size());
        }
        encode_function(w, reinterpret_cast<const void*>(job_.remote()));
        job_.encode(w);
        if (w.room() != 0)
            throw serialization_error{"coproc: a value shrank while it was being encoded (is "
                                      "another thread writing to it?)"};
    });
}

int run_process(endpoint& channel, incoming& message) noexcept {
    try {
        reader in = message.payload();
        const std::size_t size = in.count(1);
        const std::string build{reinterpret_cast<const char*>(in.bytes(size)), size};
        if (build != program_build_id()) return 70; // the parent says so
        const std::size_t catchers = in.count(1);
        reader known{{in.bytes(catchers), catchers}};
        exception_registry::learn(known);
        const std::size_t words = in.count(1);
        reader introduced{{in.bytes(words), words}};
        accept_introduction(introduced);
        const auto function = reinterpret_cast<invoker>(decode_function(in));
        if (function == nullptr)
            throw serialization_error{"coproc: a process came without its function"};
        trace_throws(true);
        call_of_process call{channel, in};
        function(call);
        return 0;
    } catch (...) {
        print_failure(own_identity().name);
        return 1;
    }
}

} // namespace coproc::detail
