// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/proxy_base.hpp>
#include <coproc/error.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coproc {

/// Named values of any types that live in a manager's server: Python's Namespace. A handle, as
/// dict_proxy is. Every call is one exchange with the server and atomic. Thread safe. *Exceptions*:
/// end_of_stream_error when the server is gone; timeout_error through within().
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
        return named<T>(name, ask(op::name_get, key(name)));
    }
    [[nodiscard]] bool contains(std::string_view name) const {
        return get_<bool>(op::name_contains, key(name));
    }
    /// Whether there was such a name.
    bool erase(std::string_view name) const { return get_<bool>(op::name_erase, key(name)); }
    /// In the order in which they were set first.
    [[nodiscard]] std::vector<std::string> names() const {
        return detail::unpack_list<std::string>(ask(op::name_list));
    }

    /// The asynchronous forms. *Completion signature*: void(std::exception_ptr, R) for what the
    /// blocking form returns, which must be default-constructible, or void(std::exception_ptr).
    /// *Exceptions*: as the blocking form. *Cancellation* of any type, until the reply has come:
    /// cancelled_error, at once; what was sent may be carried out all the same. Arguments are
    /// copied now.
    template <class T, detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_set(std::string_view name, const T& value, Token&& token = Token()) const {
        using stored = travel_t<T>;
        static_assert(sendable<stored>,
                      "coproc: what a manager keeps must be sendable (see coproc::sendable)");
        auto kept =
            std::make_shared<const std::pair<std::string, stored>>(name, detail::to_travel(value));
        return start_<void, op::name_set>(std::forward<Token>(token), [kept] {
            return detail::pack_keyed(kept->first, detail::wire_name<stored>(), kept->second);
        });
    }
    template <class T, detail::token_for<T> Token = boost::asio::deferred_t>
    auto async_get(std::string_view name, Token&& token = Token()) const {
        return start_<T, op::name_get>(std::forward<Token>(token), detail::packed{key(name)},
                                       [kept = std::string{name}](detail::remote_reply&& reply) {
                                           return named<T>(kept, std::move(reply));
                                       });
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_contains(std::string_view name, Token&& token = Token()) const {
        return start_<bool, op::name_contains>(std::forward<Token>(token),
                                               detail::packed{key(name)});
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_erase(std::string_view name, Token&& token = Token()) const {
        return start_<bool, op::name_erase>(std::forward<Token>(token), detail::packed{key(name)});
    }
    template <detail::token_for<std::vector<std::string>> Token = boost::asio::deferred_t>
    auto async_names(Token&& token = Token()) const {
        return start_<std::vector<std::string>, op::name_list>(
            std::forward<Token>(token), detail::no_payload{}, detail::read_list<std::string>{});
    }

    /// For the library: the name by which programs agree on the type.
    static std::string type() { return "namespace"; }

private:
    static detail::remote_payload key(std::string_view name) {
        return detail::pack_keyed(std::string{name});
    }
    template <class T>
    static T named(std::string_view name, detail::remote_reply&& reply) {
        if (reply.status() == detail::manager_status::missing) missing(name);
        detail::require_ok(reply);
        detail::reader r = reply.in();
        const auto stored = detail::decode<std::string>(r);
        if (stored != detail::wire_name<T>()) wrong_type(name, stored, detail::wire_name<T>());
        return detail::decode<T>(r);
    }
    [[noreturn]] static void missing(std::string_view name);
    [[noreturn]] static void wrong_type(std::string_view name, const std::string& stored,
                                        const std::string& wanted);
};

template <>
struct codec<namespace_proxy> : detail::proxy_codec<namespace_proxy> {};

} // namespace coproc
