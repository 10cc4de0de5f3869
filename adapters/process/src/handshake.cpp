// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/handshake.hpp>

#include <coproc/detail/exception_codec.hpp>
#include <coproc/detail/function_id.hpp>
#include <coproc/error.hpp>
#include <coproc/job.hpp>

#include <child/run_message.hpp>
#include <cstring>
#include <utility>

namespace coproc::detail {
namespace {

std::string how_it_ended(int exit_code) {
    if (exit_code < 0) return "was killed by " + signal_name(-exit_code);
    return "ended with exit code " + std::to_string(exit_code);
}

} // namespace

std::string handshake::missing_runtime_text(const std::string& seen) {
    return "coproc: no worker process could be started: " + seen +
           " before it entered coproc::runtime. The program's main must begin with the line\n"
           "    coproc::runtime runtime{argc, argv};\n"
           "or, where main belongs to somebody else, the program must be linked with coproc::main";
}

handshake::handshake(endpoint& channel, const job* initializer, std::string worker_name, pid_t pid)
    : channel_{channel},
      initializer_{initializer},
      worker_name_{std::move(worker_name)},
      pid_{pid} {}

handshake::state handshake::fail(const std::string& why) {
    error_ = std::make_exception_ptr(bootstrap_error{why});
    return state_ = state::failed;
}

bool handshake::is_this_build(incoming& hello) {
    reader in = hello.payload();
    const auto version = in.raw<std::uint32_t>();
    in.raw<std::int32_t>(); // its pid, as it sees it itself
    const std::size_t size = in.count(1);
    const std::string build{reinterpret_cast<const char*>(in.bytes(size)), size};
    return version == protocol_version && build == program_build_id();
}

handshake::state handshake::on_message(incoming& message) {
    switch (message.kind) {
    case message_kind::no_runtime:
        return fail(missing_runtime_text("worker \"" + worker_name_ +
                                         "\" was about to start workers of its own"));
    case message_kind::hello: {
        if (state_ != state::starting) break;
        if (!is_this_build(message))
            return fail("coproc: worker \"" + worker_name_ +
                        "\" is another build of the program: its file was replaced while it ran; "
                        "start it anew");
        send_setup();
        return state_;
    }
    case message_kind::ready:
        if (state_ != state::initializing) break;
        return state_ = state::ready;
    case message_kind::init_failed: {
        if (state_ != state::initializing) break;
        initializer_failed_ = true;
        failure_info where;
        where.worker_pid = pid_;
        where.worker_name = worker_name_;
        reader in = message.payload();
        error_ = initializer_failure(where, decode_exception(in, where));
        return state_ = state::failed;
    }
    default:
        break;
    }
    throw channel_corrupt{
        "coproc: a worker sent a message that does not belong into the handshake"};
}

void handshake::send_setup() {
    const job_state* const initial = initializer_ != nullptr ? initializer_->state() : nullptr;
    try {
        sizer catchers;
        exception_registry::size(catchers, 0);
        sizer s;
        const auto introduction = encode_introduction(identity_of_worker(worker_name_));
        s.bytes(2 * sizeof(std::uint64_t) + catchers.size() + introduction.size() + 1);
        if (initial != nullptr) {
            size_function(s, reinterpret_cast<const void*>(initial->remote()));
            initial->size(s);
        }
        channel_.send(message_kind::setup, 0, 0, s.size(), [&](writer& w) {
            // Their length goes first: whoever learns reads to the end. More may have been
            // registered meanwhile.
            std::vector<std::byte> known(catchers.size());
            writer own{known};
            exception_registry::encode(own, 0);
            w.raw(static_cast<std::uint64_t>(known.size()));
            w.bytes(known.data(), known.size());
            w.raw(static_cast<std::uint64_t>(introduction.size()));
            w.bytes(introduction.data(), introduction.size());
            w.raw(static_cast<std::uint8_t>(initial != nullptr));
            if (initial != nullptr) {
                encode_function(w, reinterpret_cast<const void*>(initial->remote()));
                initial->encode(w);
            }
        });
        state_ = state::initializing;
    } catch (...) {
        initializer_failed_ = true;
        error_ = std::current_exception();
        state_ = state::failed;
    }
}

handshake::state handshake::on_exit(int exit_code) {
    if (state_ == state::failed) return state_;
    if (state_ == state::starting) {
        if (const int error = channel_.control().start_error; error > 0)
            return fail(std::string{"coproc: the program cannot be started again for a worker: "} +
                        std::strerror(error));
        return fail(
            missing_runtime_text("worker \"" + worker_name_ + "\" " + how_it_ended(exit_code)));
    }
    initializer_failed_ = true;
    return fail("coproc: worker \"" + worker_name_ + "\" " + how_it_ended(exit_code) +
                " in the initializer");
}

handshake::state handshake::on_timeout() {
    if (state_ != state::starting) return state_;
    return fail(missing_runtime_text("worker \"" + worker_name_ + "\" spent " +
                                     std::to_string(hello_timeout.count()) + " seconds"));
}

} // namespace coproc::detail
