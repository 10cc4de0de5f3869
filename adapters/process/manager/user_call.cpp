// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <manager/user_call.hpp>

#include <coproc/codec.hpp>
#include <coproc/detail/backtrace.hpp>
#include <coproc/detail/exception_codec.hpp>
#include <coproc/detail/function_id.hpp>
#include <coproc/detail/remote_call.hpp>
#include <os/system_call.hpp>

#include <exception>
#include <fcntl.h>
#include <utility>

namespace coproc::detail {
namespace {

/// The descriptors of a request, one after another.
class request_descriptors final : public descriptor_source {
public:
    explicit request_descriptors(const shared_fds& descriptors) : descriptors_{descriptors} {}
    int take_descriptor() override {
        if (next_ == descriptors_.size())
            throw serialization_error{"coproc: a message came without the descriptor it names"};
        return descriptors_[next_++]->duplicate().release();
    }

private:
    const shared_fds& descriptors_;
    std::size_t next_ = 0;
};

class served_user_call final : public call_context {
public:
    using call_context::call_context;
    void begin_item(std::uint32_t) noexcept override {}
    writer& reply(std::size_t size, std::size_t) override {
        bytes_.resize(size);
        descriptors_.clear();
        out_ = writer{bytes_, &descriptors_};
        return out_;
    }
    hosted_answer take() {
        hosted_answer answer;
        answer.payload = std::move(bytes_);
        for (const int fd : descriptors_) // borrowed; the answer may be sent later
            answer.descriptors.push_back(std::make_shared<const os::unique_fd>(
                os::check(::fcntl(fd, F_DUPFD_CLOEXEC, 3), "duplicate a descriptor")));
        return answer;
    }

private:
    bytes_t bytes_;
    std::vector<int> descriptors_;
    writer out_{std::span<std::byte>{}};
};

} // namespace

user_result run_user_call(hosted_request& request, user_object& object) noexcept {
    user_result result;
    try {
        request_descriptors descriptors{request.descriptors};
        reader in{request.payload, &descriptors};
        trace_throws(true);
        if (static_cast<manager_op>(request.header.op) == manager_op::make) {
            object.one_at_a_time = decode<bool>(in);
            auto type = decode<std::string>(in);
            const auto make = reinterpret_cast<object_maker>(decode_function(in));
            if (make == nullptr) malformed();
            object.instance = make(in);
            result.type = std::move(type);
            result.made = true;
        } else {
            const auto call = reinterpret_cast<object_invoker>(decode_function(in));
            if (call == nullptr) malformed();
            served_user_call context{in};
            call(context, object.instance.get());
            result.answer = context.take();
        }
    } catch (...) {
        result.answer = {};
        try {
            result.answer.payload = encode_exception(std::current_exception());
            result.answer.status = manager_status::exception;
        } catch (...) { // no memory for it
            result.answer.status = manager_status::error;
        }
    }
    return result;
}

} // namespace coproc::detail
