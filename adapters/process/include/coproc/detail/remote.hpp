// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A proxy's way to its object in a manager's server: requests as bytes, replies as bytes.

#include <coproc/codec.hpp>
#include <coproc/detail/manager_protocol.hpp>
#include <coproc/detail/may_carry_handles.hpp>
#include <coproc/duration.hpp>
#include <coproc/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace coproc::detail {

/// What call and make say when the two sides are not the same program.
inline constexpr const char* other_build_text =
    "coproc: call and make need the same build of the program at both ends, since a function's "
    "name "
    "is where it stands in it; this manager's server is another build. The built-in objects (dict, "
    "queue, ...) work all the same";

struct remote_payload {
    std::vector<std::byte> bytes{};
    std::vector<int> descriptors{}; // borrowed from the values
    std::uint16_t tickets = 0;      // so many, of proxies in it, stand at the end of the bytes
};

/// Notes the tickets of the proxies that this thread encodes while it lives: who keeps the message
/// has to keep their objects.
class ticket_notes {
public:
    ticket_notes() noexcept;
    ticket_notes(const ticket_notes&) = delete;
    ticket_notes& operator=(const ticket_notes&) = delete;
    ~ticket_notes();

    static void add(std::uint64_t ticket);
    void append_to(remote_payload& what) const;

private:
    ticket_notes* outer_;
    std::vector<std::uint64_t> tickets_;
};

/// What is written ends with the tickets that are lent by it.
template <class... T>
void encode_kept(remote_payload& to, writer& w, const T&... values) {
    if constexpr ((may_carry_handles<T>() || ...)) {
        const ticket_notes lent;
        (encode(w, values), ...);
        lent.append_to(to);
    } else {
        (encode(w, values), ...);
    }
}

/// What the server said. Owns the descriptors that came with it until they are taken.
class remote_reply final : private descriptor_source {
public:
    remote_reply() noexcept = default;
    remote_reply(manager_status status, std::vector<std::byte> bytes,
                 std::vector<int> descriptors) noexcept
        : status_{status}, bytes_{std::move(bytes)}, descriptors_{std::move(descriptors)} {}
    remote_reply(remote_reply&& other) noexcept;
    remote_reply& operator=(remote_reply&& other) noexcept;
    ~remote_reply() override;

    [[nodiscard]] manager_status status() const noexcept { return status_; }
    [[nodiscard]] bool ok() const noexcept { return status_ == manager_status::ok; }
    [[nodiscard]] const std::vector<std::byte>& bytes() const noexcept { return bytes_; }
    [[nodiscard]] reader in() noexcept { return reader{bytes_, this}; }
    /// One value of a list of them, which has its length before it.
    template <class T>
    T counted(reader& r) {
        const std::size_t size = r.count(1);
        reader part{{r.bytes(size), size}, this};
        return decode<T>(part);
    }

    /// What came, to be sent on unread. The descriptors are this reply's, as long as it lives.
    [[nodiscard]] remote_payload contents() {
        return {std::move(bytes_),
                {descriptors_.begin() + static_cast<std::ptrdiff_t>(taken_), descriptors_.end()}};
    }

private:
    int take_descriptor() override;

    manager_status status_ = manager_status::ok;
    std::vector<std::byte> bytes_{};
    std::vector<int> descriptors_{};
    std::size_t taken_ = 0;
};

/// Throws what the status stands for, if it is not ok.
void require_ok(remote_reply& reply);

/// Whom to tell of the reply to a request that nobody blocks for. Called once, on any thread.
class remote_waiter {
public:
    virtual void on_reply(remote_reply&& reply) noexcept = 0;
    virtual void on_failure(std::exception_ptr error) noexcept = 0;

protected:
    ~remote_waiter() = default;
};

/// When a call that blocks gives up. `late` gets a reply that comes after that, on any thread, and
/// must not block; null: nobody need look at it. (What was taken is given back before.)
struct remote_limit {
    steady::time_point until{};
    void (*late)(remote_reply&&) noexcept = nullptr;
};

/// What requests are sent to: a server, or an object in it. Thread safe.
class remote_target {
public:
    remote_target() = default;
    remote_target(const remote_target&) = delete;
    remote_target& operator=(const remote_target&) = delete;
    virtual ~remote_target() = default;

    /// The request's number, for remote_object::cancel. Throws as remote_object::call does, and
    /// then forgets the waiter.
    virtual std::uint64_t start(manager_op op, const remote_payload& what, std::uint64_t timeout,
                                remote_waiter& waiter) const = 0;
};

/// An object in a server, as long as somebody here holds it.
class remote_object : public remote_target {
public:
    /// Throws end_of_stream_error when the server is gone, timeout_error at the limit. The reply
    /// may be a refusal.
    virtual remote_reply call(manager_op op, const remote_payload& what,
                              std::uint64_t timeout = wait_for_ever,
                              const remote_limit* limit = nullptr) const = 0;
    /// The reply says whether it was in time.
    virtual void cancel(std::uint64_t request) const noexcept = 0;
    /// What came with a reply that nobody wants any more. No reply.
    virtual void give_back(const remote_payload& what) const noexcept = 0;

    /// Functions mean the same there as here.
    [[nodiscard]] virtual bool same_build() const noexcept = 0;
    [[nodiscard]] virtual hosted_kind kind() const noexcept = 0;
    [[nodiscard]] virtual const std::string& type() const noexcept = 0;

    // As a value that is sent: a reference is taken along, which the receiver has then.
    virtual void size(sizer& s) const = 0;
    virtual void encode(writer& w) const = 0;
};
using remote_ptr = std::shared_ptr<remote_object>;

/// What such a request is sent to: only objects are waited at, or taken from.
template <manager_op Op>
using target_ptr =
    std::shared_ptr<const std::conditional_t<is_parked(Op), remote_object, remote_target>>;

/// Connects, if this process has no connection yet. Throws if the object is not of this type.
remote_ptr decode_remote(reader& r, const std::string& type);
/// Throws coproc::error that names both types.
void require_type(const remote_object& object, const std::string& type);
[[noreturn]] void throw_empty_proxy();

/// What a proxy refers to.
template <class Target>
const Target& held(const std::shared_ptr<Target>& object) {
    if (object == nullptr) throw_empty_proxy();
    return *object;
}

// --- payloads ------------------------------------------------------------------------------------

template <class... T>
remote_payload pack(const T&... values) {
    sizer s;
    (size(s, values), ...);
    remote_payload result;
    result.bytes.resize(s.size());
    writer w{result.bytes, &result.descriptors};
    encode_kept(result, w, values...);
    return result;
}

/// A key with its length, then values. A key is compared as the bytes it is, so it holds no handle.
template <class K, class... V>
remote_payload pack_keyed(const K& key, const V&... values) {
    sizer keys;
    size(keys, key);
    sizer s;
    s.bytes(sizeof(std::uint64_t) + keys.size());
    (size(s, values), ...);
    remote_payload result;
    result.bytes.resize(s.size());
    writer w{result.bytes, &result.descriptors};
    w.raw(static_cast<std::uint64_t>(keys.size()));
    writer key_writer{{w.claim(keys.size()), keys.size()}};
    encode(key_writer, key);
    encode_kept(result, w, values...);
    return result;
}

template <class T>
T unpack(remote_reply&& reply) {
    require_ok(reply);
    if constexpr (!std::is_void_v<T>) {
        reader r = reply.in();
        return decode<T>(r);
    }
}

/// Nothing if there is no such element.
template <class T>
std::optional<T> unpack_found(remote_reply&& reply) {
    if (reply.status() == manager_status::missing) return std::nullopt;
    return unpack<T>(std::move(reply));
}

/// A count, then as many as `next(reply, reader)` takes.
template <class T, class Next>
std::vector<T> unpack_all(remote_reply&& reply, Next next) {
    require_ok(reply);
    reader r = reply.in();
    std::vector<T> result;
    const std::size_t count = r.count(sizeof(std::uint64_t));
    result.reserve(count);
    for (std::size_t i = 0; i != count; ++i)
        result.push_back(next(reply, r));
    return result;
}

/// The same for elements that come one by one.
template <class T>
std::vector<T> unpack_list(remote_reply&& reply) {
    return unpack_all<T>(std::move(reply),
                         [](auto& from, auto& r) { return from.template counted<T>(r); });
}

inline std::uint64_t as_timeout(duration d) noexcept {
    return d.count() <= 0                         ? do_not_wait
           : d == std::chrono::nanoseconds::max() ? wait_for_ever
                                                  : static_cast<std::uint64_t>(d.count());
}

} // namespace coproc::detail
