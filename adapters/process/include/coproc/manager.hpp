// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Objects that live in a process of their own, and that any process can use: this program's
// workers, and with an endpoint and a key, other programs on other machines.

#include <coproc/array_proxy.hpp>
#include <coproc/detail/manager_requests.hpp>
#include <coproc/detail/patient.hpp>
#include <coproc/detail/trailing_token.hpp>
#include <coproc/dict_proxy.hpp>
#include <coproc/event_proxy.hpp>
#include <coproc/list_proxy.hpp>
#include <coproc/manager_options.hpp>
#include <coproc/mutex_proxy.hpp>
#include <coproc/namespace_proxy.hpp>
#include <coproc/object_proxy.hpp>
#include <coproc/queue_proxy.hpp>
#include <coproc/semaphore_proxy.hpp>
#include <coproc/value_proxy.hpp>

#include <boost/asio/deferred.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc {

namespace detail {
class manager_state;
}

/// Starts a server process, and makes objects in it:
///
///     coproc::manager m;
///     auto d = m.dict<std::string, int>();
///     d.set("apples", 3);
///     pool.apply(count, d);                     // proxies are handles: pass them anywhere
///
/// A handle: copies refer to the same server. The server ends with the last copy in the program
/// that started it, by shutdown(), or with that program, however that ends; proxies that are left
/// fail with end_of_stream_error from then on. Through within(), what asks the server (to make,
/// find or publish something) gives up with a timeout_error; the proxies that it returns wait as
/// long as it takes. Thread safe.
class manager : public detail::patient<manager> {
public:
    /// Starts a server for this program's processes. *Exceptions*: bootstrap_error,
    /// std::system_error.
    manager();
    /// The same with options. *Exceptions*: also std::invalid_argument for an endpoint that is
    /// none.
    explicit manager(manager_options options);

    /// A server that another program has started: a handle without power over its life. Keys are
    /// proved on both sides and never sent. *Exceptions*: authentication_error (and nothing else,
    /// for a wrong key), timeout_error, end_of_stream_error when nobody listens,
    /// std::invalid_argument.
    [[nodiscard]] static manager connect(const std::string& endpoint, const std::string& authkey,
                                         manager_connect_options options = {});

    /// New objects. They live until the last proxy to them, anywhere, is gone.
    template <class K, class V>
    [[nodiscard]] dict_proxy<K, V> dict() const {
        return create<dict_proxy<K, V>>(detail::hosted_kind::dict);
    }
    template <class T>
    [[nodiscard]] list_proxy<T> list() const {
        return create<list_proxy<T>>(detail::hosted_kind::list);
    }
    template <class T>
    [[nodiscard]] value_proxy<T> value(const T& initial = T{}) const {
        return create<value_proxy<T>>(detail::hosted_kind::value, initial);
    }
    template <class T>
    [[nodiscard]] array_proxy<T> array(std::size_t length, const T& initial = T{}) const {
        return create<array_proxy<T>>(detail::hosted_kind::array, std::uint64_t{length}, initial);
    }
    /// max_size 0: as long as memory allows.
    template <class T>
    [[nodiscard]] queue_proxy<T> queue(std::size_t max_size = 0) const {
        return create<queue_proxy<T>>(detail::hosted_kind::queue, std::uint64_t{max_size});
    }
    [[nodiscard]] namespace_proxy namespace_() const;
    [[nodiscard]] mutex_proxy mutex() const;
    [[nodiscard]] semaphore_proxy semaphore(std::size_t permits = 1) const;
    /// One that can never have more permits than at first.
    [[nodiscard]] semaphore_proxy bounded_semaphore(std::size_t permits = 1) const;
    [[nodiscard]] event_proxy event() const;

    /// An object of any class, made there from these arguments, which arrive as travel types. Calls
    /// of different programs may run on it at the same time.
    template <class T, class... Args>
    [[nodiscard]] object_proxy<T> make(Args&&... args) const {
        return make_object<T>(false, std::forward<Args>(args)...);
    }
    /// The same for a class that does not synchronise itself: one call at a time.
    template <class T, class... Args>
    [[nodiscard]] object_proxy<T> make_locked(Args&&... args) const {
        return make_object<T>(true, std::forward<Args>(args)...);
    }

    /// Gives an object a name, under which every client can find it. The server holds it from then
    /// on; a name that is taken is given to the new object. *Exceptions*: coproc::error if the
    /// proxy belongs to another manager.
    template <class Proxy>
    void publish(std::string_view name, const Proxy& proxy) const {
        publish_object(name, proxy.object());
    }
    /// Whether there was such a name.
    bool unpublish(std::string_view name) const;
    /// The object of this name: `m.find<coproc::queue_proxy<int>>("jobs")`. *Exceptions*:
    /// std::out_of_range when there is none; coproc::error when it is of another type.
    template <class Proxy>
    [[nodiscard]] Proxy find(std::string_view name) const {
        return Proxy::of(find_object(name, Proxy::type()));
    }

    /// The asynchronous forms: `co_await m.async_dict<std::string, int>()`. *Completion signature*:
    /// void(std::exception_ptr, R) for what the blocking form returns, or void(std::exception_ptr).
    /// *Exceptions*: as the blocking form. *Cancellation* of any type, until the reply has come:
    /// cancelled_error, at once; an object that is made all the same is let go of. Arguments are
    /// copied now.
    template <class K, class V, detail::token_for<dict_proxy<K, V>> Token = boost::asio::deferred_t>
    auto async_dict(Token&& token = Token()) const {
        return start_create<dict_proxy<K, V>>(detail::hosted_kind::dict,
                                              std::forward<Token>(token));
    }
    template <class T, detail::token_for<list_proxy<T>> Token = boost::asio::deferred_t>
    auto async_list(Token&& token = Token()) const {
        return start_create<list_proxy<T>>(detail::hosted_kind::list, std::forward<Token>(token));
    }
    template <class T, detail::token_for<value_proxy<T>> Token = boost::asio::deferred_t>
    auto async_value(Token&& token = Token()) const {
        return async_value<T>(T{}, std::forward<Token>(token));
    }
    template <class T, detail::token_for<value_proxy<T>> Token = boost::asio::deferred_t>
    auto async_value(T initial, Token&& token = Token()) const {
        return start_create<value_proxy<T>>(detail::hosted_kind::value, std::forward<Token>(token),
                                            std::move(initial));
    }
    template <class T, detail::token_for<array_proxy<T>> Token = boost::asio::deferred_t>
    auto async_array(std::size_t length, Token&& token = Token()) const {
        return async_array<T>(length, T{}, std::forward<Token>(token));
    }
    template <class T, detail::token_for<array_proxy<T>> Token = boost::asio::deferred_t>
    auto async_array(std::size_t length, T initial, Token&& token = Token()) const {
        return start_create<array_proxy<T>>(detail::hosted_kind::array, std::forward<Token>(token),
                                            std::uint64_t{length}, std::move(initial));
    }
    template <class T, detail::token_for<queue_proxy<T>> Token = boost::asio::deferred_t>
    auto async_queue(Token&& token = Token()) const {
        return async_queue<T>(0, std::forward<Token>(token));
    }
    /// max_size 0: as long as memory allows.
    template <class T, detail::token_for<queue_proxy<T>> Token = boost::asio::deferred_t>
    auto async_queue(std::size_t max_size, Token&& token = Token()) const {
        return start_create<queue_proxy<T>>(detail::hosted_kind::queue, std::forward<Token>(token),
                                            std::uint64_t{max_size});
    }
    template <detail::token_for<namespace_proxy> Token = boost::asio::deferred_t>
    auto async_namespace(Token&& token = Token()) const {
        return start_create<namespace_proxy>(detail::hosted_kind::names,
                                             std::forward<Token>(token));
    }
    template <detail::token_for<mutex_proxy> Token = boost::asio::deferred_t>
    auto async_mutex(Token&& token = Token()) const {
        return start_create<mutex_proxy>(detail::hosted_kind::mutex, std::forward<Token>(token));
    }
    template <detail::token_for<semaphore_proxy> Token = boost::asio::deferred_t>
    auto async_semaphore(Token&& token = Token()) const {
        return async_semaphore(1, std::forward<Token>(token));
    }
    template <detail::token_for<semaphore_proxy> Token = boost::asio::deferred_t>
    auto async_bounded_semaphore(Token&& token = Token()) const {
        return async_bounded_semaphore(1, std::forward<Token>(token));
    }
    template <detail::token_for<semaphore_proxy> Token = boost::asio::deferred_t>
    auto async_semaphore(std::size_t permits, Token&& token = Token()) const {
        return start_create<semaphore_proxy>(detail::hosted_kind::semaphore,
                                             std::forward<Token>(token), std::uint64_t{permits},
                                             no_limit);
    }
    template <detail::token_for<semaphore_proxy> Token = boost::asio::deferred_t>
    auto async_bounded_semaphore(std::size_t permits, Token&& token = Token()) const {
        return start_create<semaphore_proxy>(detail::hosted_kind::semaphore,
                                             std::forward<Token>(token), std::uint64_t{permits},
                                             std::uint64_t{permits});
    }
    template <detail::token_for<event_proxy> Token = boost::asio::deferred_t>
    auto async_event(Token&& token = Token()) const {
        return start_create<event_proxy>(detail::hosted_kind::event, std::forward<Token>(token));
    }
    /// A completion token may follow the arguments.
    template <class T, class... Args>
    auto async_make(Args&&... args) const {
        return start_make<T>(std::false_type{}, std::forward<Args>(args)...);
    }
    template <class T, class... Args>
    auto async_make_locked(Args&&... args) const {
        return start_make<T>(std::true_type{}, std::forward<Args>(args)...);
    }
    template <class Proxy, detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_publish(std::string_view name, const Proxy& proxy, Token&& token = Token()) const {
        require_own(name, proxy.object());
        return detail::start_remote<void, detail::manager_op::publish>(
            proxy.object(), detail::packed{named(name)}, detail::read_as<void>{},
            std::forward<Token>(token));
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_unpublish(std::string_view name, Token&& token = Token()) const {
        return detail::start_remote<bool, detail::manager_op::unpublish>(
            root(), detail::packed{named(name)}, detail::read_as<bool>{},
            std::forward<Token>(token));
    }
    template <class Proxy, detail::token_for<Proxy> Token = boost::asio::deferred_t>
    auto async_find(std::string_view name, Token&& token = Token()) const {
        return detail::start_remote<Proxy, detail::manager_op::find>(
            root(), detail::packed{named(name)},
            detail::read_object<Proxy>{found(name, Proxy::type())}, std::forward<Token>(token));
    }

    /// Where other programs can connect to; empty without an endpoint.
    [[nodiscard]] std::string endpoint() const;
    /// What they must know.
    [[nodiscard]] std::string authkey() const;
    /// Of the server process.
    [[nodiscard]] pid_t pid() const;
    /// Whether the server answers.
    [[nodiscard]] bool is_alive() const noexcept;
    /// Ends the server, and with it all objects. Waits for its end. For the program that started
    /// it; otherwise std::logic_error.
    void shutdown() const;

private:
    explicit manager(std::shared_ptr<detail::manager_state> state) : state_{std::move(state)} {}

    static constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

    template <class Proxy, class... Initial>
    [[nodiscard]] Proxy create(detail::hosted_kind kind, const Initial&... initial) const {
        return Proxy::of(create_object(detail::manager_op::create,
                                       detail::pack(kind, Proxy::type(), initial...)));
    }
    template <class Proxy, class Token, class... Initial>
    auto start_create(detail::hosted_kind kind, Token&& token, Initial&&... initial) const {
        return detail::start_remote<Proxy, detail::manager_op::create>(
            root(),
            [kind, kept = detail::keep_arguments(std::forward<Initial>(initial)...)] {
                return std::apply(
                    [kind](const auto&... x) { return detail::pack(kind, Proxy::type(), x...); },
                    *kept);
            },
            detail::read_object<Proxy>{made()}, std::forward<Token>(token));
    }
    template <class T, class... Args>
    [[nodiscard]] const void* maker() const {
        (detail::require_sendable<travel_t<Args>>(), ...);
        require_same_build();
        return reinterpret_cast<const void*>(&detail::remote_make<T, travel_t<Args>...>::make);
    }
    template <class T, class... Args>
    [[nodiscard]] object_proxy<T> make_object(bool locked, Args&&... args) const {
        return object_proxy<T>::of(
            create_object(detail::manager_op::make,
                          detail::pack_make(maker<T, Args...>(), locked, object_proxy<T>::type(),
                                            detail::to_travel(std::forward<Args>(args))...)));
    }
    template <class T, bool Locked, class... Args>
    auto start_make(std::bool_constant<Locked> locked, Args&&... args) const {
        using proxy = object_proxy<T>;
        if constexpr (detail::ends_with_token<detail::made_from<T, proxy>::template with,
                                              Args...>()) {
            return detail::complete_with_last(
                [&](auto&&... x) { return start_make<T>(locked, std::forward<decltype(x)>(x)...); },
                std::forward<Args>(args)...);
        } else {
            return detail::start_remote<proxy, detail::manager_op::make>(
                root(),
                [function = maker<T, Args...>(),
                 kept = detail::keep_arguments(detail::to_travel(std::forward<Args>(args))...)] {
                    return std::apply(
                        [function](const auto&... x) {
                            return detail::pack_make(function, Locked, proxy::type(), x...);
                        },
                        *kept);
                },
                detail::read_object<proxy>{made()}, boost::asio::deferred);
        }
    }

    static detail::remote_payload named(std::string_view name);
    [[nodiscard]] detail::remote_reply ask(detail::manager_op op, std::uint64_t object,
                                           const detail::remote_payload& what) const;
    [[nodiscard]] detail::remote_ptr create_object(detail::manager_op op,
                                                   const detail::remote_payload& what) const;
    [[nodiscard]] detail::remote_ptr find_object(std::string_view name,
                                                 const std::string& type) const;
    void publish_object(std::string_view name, const detail::remote_ptr& object) const;
    /// Returns its number at the server.
    std::uint64_t require_own(std::string_view name, const detail::remote_ptr& object) const;
    void require_same_build() const;
    [[nodiscard]] std::shared_ptr<detail::remote_target> root() const;
    [[nodiscard]] detail::object_in_reply made() const;
    [[nodiscard]] detail::object_in_reply found(std::string_view name,
                                                const std::string& type) const;

    std::shared_ptr<detail::manager_state> state_;
};

} // namespace coproc
