// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the proxies of a manager's objects have in common.

#include <coproc/detail/patient.hpp>
#include <coproc/detail/remote.hpp>
#include <coproc/detail/remote_operation.hpp>
#include <coproc/detail/wire_name.hpp>

#include <boost/asio/deferred.hpp>

#include <chrono>
#include <cstdint>
#include <utility>

namespace coproc::detail {

/// A call for at most `patience`.
remote_reply ask_within(const remote_object& to, std::chrono::nanoseconds patience, manager_op op,
                        const remote_payload& what, std::uint64_t timeout,
                        void (*late)(remote_reply&&) noexcept);

/// Base of the proxies: a handle of an object, or empty. Derived has `static std::string type()`.
template <class Derived>
class proxy_base : public patient<Derived> {
public:
    /// Whether there is an object behind it.
    [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }
    /// The same object (not: an equal value).
    friend bool operator==(const proxy_base& a, const proxy_base& b) noexcept {
        return a.object_ == b.object_;
    }

    /// For the library.
    [[nodiscard]] const remote_ptr& object() const noexcept { return object_; }
    [[nodiscard]] static Derived of(remote_ptr object) {
        Derived proxy;
        static_cast<proxy_base&>(proxy).object_ = std::move(object);
        return proxy;
    }

protected:
    proxy_base() noexcept = default;
    ~proxy_base() = default;
    proxy_base(const proxy_base&) = default;
    proxy_base(proxy_base&&) noexcept = default;
    proxy_base& operator=(const proxy_base&) = default;
    proxy_base& operator=(proxy_base&&) noexcept = default;

    remote_reply ask(manager_op op, const remote_payload& what = {},
                     std::uint64_t timeout = wait_for_ever,
                     void (*late)(remote_reply&&) noexcept = nullptr) const {
        const remote_object& to = held(object_);
        if (this->waits_for_ever()) return to.call(op, what, timeout);
        return ask_within(to, this->patience(), op, what, timeout, late);
    }
    /// Whose reply is a T, alone.
    template <class T>
    remote_reply ask_for(manager_op op, const remote_payload& what = {},
                         std::uint64_t timeout = wait_for_ever) const {
        return ask(op, what, timeout, hands_out(op) ? +drop_late<T> : nullptr);
    }
    template <class T = void>
    T get_(manager_op op, const remote_payload& what = {},
           std::uint64_t timeout = wait_for_ever) const {
        return unpack<T>(ask_for<T>(op, what, timeout));
    }
    /// The asynchronous form.
    template <class R, manager_op Op, class Token, class MakePayload = no_payload,
              class Read = read_as<R>>
    auto start_(Token&& token, MakePayload make_payload = {}, Read read = {}) const {
        return start_remote<R, Op>(object_, std::move(make_payload), std::move(read),
                                   std::forward<Token>(token));
    }

private:
    remote_ptr object_;
};

/// Base of the proxies' codecs.
template <class Proxy>
struct proxy_codec {
    static void size(sizer& s, const Proxy& proxy) {
        s.bytes(1);
        if (proxy) proxy.object()->size(s);
    }
    static void encode(writer& w, const Proxy& proxy) {
        w.raw(static_cast<std::uint8_t>(static_cast<bool>(proxy)));
        if (proxy) proxy.object()->encode(w);
    }
    static Proxy decode(reader& r) {
        if (r.raw<std::uint8_t>() == 0) return Proxy{};
        return Proxy::of(decode_remote(r, Proxy::type()));
    }
};

} // namespace coproc::detail
