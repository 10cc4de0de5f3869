// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/remote.hpp>
#include <coproc/error.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace coproc {

/// Named values of any types that live in a manager's server: Python's Namespace. A handle, as
/// dict_proxy is. Every call is one exchange with the server and atomic. Thread safe. *Exceptions*:
/// end_of_stream_error when the server is gone.
class namespace_proxy : public detail::proxy_base<namespace_proxy> {
    using op = detail::manager_op;

public:
    /// Empty: refers to no namespace.
    namespace_proxy() noexcept = default;

    /// Inserts or replaces, whatever type was there. The value is kept as its travel type: a
    /// literal as std::string.
    template <class T>
    void set(std::string_view name, const T& value) const {
        using stored = travel_t<T>;
        static_assert(sendable<stored>,
                      "coproc: what a manager keeps must be sendable (see coproc::sendable)");
        const stored& kept = detail::to_travel(value);
        get_(op::name_set,
             detail::pack_keyed(std::string{name}, detail::wire_name<stored>(), kept));
    }
    /// A copy; std::out_of_range if there is none, coproc::error if it is of another type.
    template <class T>
    [[nodiscard]] T get(std::string_view name) const {
        auto reply = ask(op::name_get, detail::pack_keyed(std::string{name}));
        if (reply.status() == detail::manager_status::missing) missing(name);
        detail::require_ok(reply);
        detail::reader r = reply.in();
        const auto stored = detail::decode<std::string>(r);
        if (stored != detail::wire_name<T>()) wrong_type(name, stored, detail::wire_name<T>());
        return detail::decode<T>(r);
    }
    [[nodiscard]] bool contains(std::string_view name) const {
        return get_<bool>(op::name_contains, detail::pack_keyed(std::string{name}));
    }
    /// Whether there was such a name.
    bool erase(std::string_view name) const {
        return get_<bool>(op::name_erase, detail::pack_keyed(std::string{name}));
    }
    /// In the order in which they were set first.
    [[nodiscard]] std::vector<std::string> names() const {
        return detail::unpack_all<std::string>(ask(op::name_list), [](auto& reply, auto& r) {
            return reply.template counted<std::string>(r);
        });
    }

    /// For the library: the name by which programs agree on the type.
    static std::string type() { return "namespace"; }

private:
    [[noreturn]] static void missing(std::string_view name);
    [[noreturn]] static void wrong_type(std::string_view name, const std::string& stored,
                                        const std::string& wanted);
};

template <>
struct codec<namespace_proxy> : detail::proxy_codec<namespace_proxy> {};

} // namespace coproc
