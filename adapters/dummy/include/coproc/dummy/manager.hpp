// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// coproc::manager without a server: objects of this program, shared by its threads.

#include <coproc/detail/patient.hpp>
#include <coproc/detail/trailing_token.hpp>
#include <coproc/dummy/array_proxy.hpp>
#include <coproc/dummy/bounded_semaphore.hpp>
#include <coproc/dummy/detail/travelled.hpp>
#include <coproc/dummy/dict_proxy.hpp>
#include <coproc/dummy/event_proxy.hpp>
#include <coproc/dummy/list_proxy.hpp>
#include <coproc/dummy/mutex_proxy.hpp>
#include <coproc/dummy/namespace_proxy.hpp>
#include <coproc/dummy/object_proxy.hpp>
#include <coproc/dummy/queue_proxy.hpp>
#include <coproc/dummy/semaphore_proxy.hpp>
#include <coproc/dummy/value_proxy.hpp>
#include <coproc/manager_options.hpp>

#include <boost/asio/deferred.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace coproc::detail::threads {
class manager_state;
}

namespace coproc::dummy {

/// coproc::manager on threads: the same calls, on objects of this program, of any types. There is
/// no server: a call costs a lock, objects stay when the manager goes, and an endpoint is a name
/// within this program, by which connect finds the manager, if it has the key. No call waits for
/// anybody, so within() changes nothing. Thread safe.
class manager : public detail::patient<manager> {
public:
    manager();
    /// Of the options, endpoint and authkey are used. *Exceptions*: std::invalid_argument for an
    /// endpoint that is none, std::system_error for one that is taken.
    explicit manager(manager_options options);

    /// A manager of this program. *Exceptions*: authentication_error, end_of_stream_error.
    [[nodiscard]] static manager connect(const std::string& endpoint, const std::string& authkey,
                                         const manager_connect_options& options = {});

    template <class K, class V>
    [[nodiscard]] dict_proxy<K, V> dict() const {
        return make_proxy<dict_proxy<K, V>,
                          detail::threads::guarded<detail::threads::entries<K, V>>>();
    }
    template <class T>
    [[nodiscard]] list_proxy<T> list() const {
        return make_proxy<list_proxy<T>, detail::threads::guarded<std::vector<T>>>();
    }
    template <class T>
    [[nodiscard]] value_proxy<T> value(T initial = T{}) const {
        return make_proxy<value_proxy<T>, detail::threads::guarded<T>>(std::move(initial));
    }
    template <class T>
    [[nodiscard]] array_proxy<T> array(std::size_t length, const T& initial = T{}) const {
        return make_proxy<array_proxy<T>, detail::threads::guarded<std::vector<T>>>(length,
                                                                                    initial);
    }
    /// max_size 0: as long as memory allows.
    template <class T>
    [[nodiscard]] queue_proxy<T> queue(std::size_t max_size = 0) const {
        require_open();
        return queue_proxy<T>{max_size};
    }
    [[nodiscard]] namespace_proxy namespace_() const;
    [[nodiscard]] mutex_proxy mutex() const;
    [[nodiscard]] semaphore_proxy semaphore(std::size_t permits = 1) const;
    /// One that can never have more permits than at first.
    [[nodiscard]] semaphore_proxy bounded_semaphore(std::size_t permits = 1) const;
    [[nodiscard]] event_proxy event() const;

    /// An object of any class; a constructor that takes only what would arrive in another process
    /// gets that. Calls of different threads may run on it at the same time.
    template <class T, class... Args>
    [[nodiscard]] object_proxy<T> make(Args&&... args) const {
        return make_object<T>(false, std::forward<Args>(args)...);
    }
    /// The same for a class that does not synchronise itself: one call at a time.
    template <class T, class... Args>
    [[nodiscard]] object_proxy<T> make_locked(Args&&... args) const {
        return make_object<T>(true, std::forward<Args>(args)...);
    }

    /// Gives an object a name, under which find finds it. It may be another manager's: all managers
    /// live in this one program. *Exceptions*: std::logic_error for an empty proxy.
    template <class Proxy>
    void publish(std::string_view name, const Proxy& proxy) const {
        require_object(proxy);
        publish_value(name, {std::make_shared<const Proxy>(proxy), &typeid(Proxy)});
    }
    /// Whether there was such a name.
    bool unpublish(std::string_view name) const;
    /// *Exceptions*: std::out_of_range when there is no such name; coproc::error when its object is
    /// of another type.
    template <class Proxy>
    [[nodiscard]] Proxy find(std::string_view name) const {
        return *std::static_pointer_cast<const Proxy>(find_value(name, typeid(Proxy)));
    }

    /// The asynchronous forms, which wait for nobody either; but objects of a program's own classes
    /// are made on a thread of the library's. *Completion signature*: void(std::exception_ptr, R)
    /// for what the blocking form returns, or void(std::exception_ptr). *Cancellation*: of
    /// async_make, of any type: cancelled_error at once, the object is let go of.
    template <class K, class V, detail::token_for<dict_proxy<K, V>> Token = boost::asio::deferred_t>
    auto async_dict(Token&& token = Token()) const {
        return now<dict_proxy<K, V>>([](const manager& m) { return m.dict<K, V>(); },
                                     std::forward<Token>(token));
    }
    template <class T, detail::token_for<list_proxy<T>> Token = boost::asio::deferred_t>
    auto async_list(Token&& token = Token()) const {
        return now<list_proxy<T>>([](const manager& m) { return m.list<T>(); },
                                  std::forward<Token>(token));
    }
    template <class T, detail::token_for<value_proxy<T>> Token = boost::asio::deferred_t>
    auto async_value(Token&& token = Token()) const {
        return async_value<T>(T{}, std::forward<Token>(token));
    }
    template <class T, detail::token_for<value_proxy<T>> Token = boost::asio::deferred_t>
    auto async_value(T initial, Token&& token = Token()) const {
        return now<value_proxy<T>>(
            [kept = detail::keep_arguments(std::move(initial))](const manager& m) {
                return m.value<T>(std::move(std::get<0>(*kept)));
            },
            std::forward<Token>(token));
    }
    template <class T, detail::token_for<array_proxy<T>> Token = boost::asio::deferred_t>
    auto async_array(std::size_t length, Token&& token = Token()) const {
        return async_array<T>(length, T{}, std::forward<Token>(token));
    }
    template <class T, detail::token_for<array_proxy<T>> Token = boost::asio::deferred_t>
    auto async_array(std::size_t length, T initial, Token&& token = Token()) const {
        return now<array_proxy<T>>(
            [length, kept = detail::keep_arguments(std::move(initial))](const manager& m) {
                return m.array<T>(length, std::get<0>(*kept));
            },
            std::forward<Token>(token));
    }
    template <class T, detail::token_for<queue_proxy<T>> Token = boost::asio::deferred_t>
    auto async_queue(Token&& token = Token()) const {
        return async_queue<T>(0, std::forward<Token>(token));
    }
    /// max_size 0: as long as memory allows.
    template <class T, detail::token_for<queue_proxy<T>> Token = boost::asio::deferred_t>
    auto async_queue(std::size_t max_size, Token&& token = Token()) const {
        return now<queue_proxy<T>>([max_size](const manager& m) { return m.queue<T>(max_size); },
                                   std::forward<Token>(token));
    }
    template <detail::token_for<namespace_proxy> Token = boost::asio::deferred_t>
    auto async_namespace(Token&& token = Token()) const {
        return now<namespace_proxy>([](const manager& m) { return m.namespace_(); },
                                    std::forward<Token>(token));
    }
    template <detail::token_for<mutex_proxy> Token = boost::asio::deferred_t>
    auto async_mutex(Token&& token = Token()) const {
        return now<mutex_proxy>([](const manager& m) { return m.mutex(); },
                                std::forward<Token>(token));
    }
    template <detail::token_for<semaphore_proxy> Token = boost::asio::deferred_t>
    auto async_semaphore(Token&& token = Token()) const {
        return async_semaphore(1, std::forward<Token>(token));
    }
    template <detail::token_for<semaphore_proxy> Token = boost::asio::deferred_t>
    auto async_semaphore(std::size_t permits, Token&& token = Token()) const {
        return now<semaphore_proxy>([permits](const manager& m) { return m.semaphore(permits); },
                                    std::forward<Token>(token));
    }
    template <detail::token_for<semaphore_proxy> Token = boost::asio::deferred_t>
    auto async_bounded_semaphore(Token&& token = Token()) const {
        return async_bounded_semaphore(1, std::forward<Token>(token));
    }
    template <detail::token_for<semaphore_proxy> Token = boost::asio::deferred_t>
    auto async_bounded_semaphore(std::size_t permits, Token&& token = Token()) const {
        return now<semaphore_proxy>(
            [permits](const manager& m) { return m.bounded_semaphore(permits); },
            std::forward<Token>(token));
    }
    template <detail::token_for<event_proxy> Token = boost::asio::deferred_t>
    auto async_event(Token&& token = Token()) const {
        return now<event_proxy>([](const manager& m) { return m.event(); },
                                std::forward<Token>(token));
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
        require_object(proxy);
        return now<void>(
            [name = std::string{name}, proxy](const manager& m) { m.publish(name, proxy); },
            std::forward<Token>(token));
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_unpublish(std::string_view name, Token&& token = Token()) const {
        return now<bool>([name = std::string{name}](const manager& m) { return m.unpublish(name); },
                         std::forward<Token>(token));
    }
    template <class Proxy, detail::token_for<Proxy> Token = boost::asio::deferred_t>
    auto async_find(std::string_view name, Token&& token = Token()) const {
        return now<Proxy>(
            [name = std::string{name}](const manager& m) { return m.find<Proxy>(name); },
            std::forward<Token>(token));
    }

    [[nodiscard]] std::string endpoint() const; ///< empty without one
    [[nodiscard]] std::string authkey() const;  ///< what connect must know
    [[nodiscard]] pid_t pid() const noexcept;   ///< this program's
    [[nodiscard]] bool is_alive() const noexcept;
    /// From now on this manager makes nothing, and cannot be found. For who started it, with the
    /// copies of that handle; through one that connect returned it is a std::logic_error.
    void shutdown() const;

private:
    /// For who connects.
    explicit manager(std::shared_ptr<detail::threads::manager_state> state)
        : state_{std::move(state)}, started_{false} {}

    template <class Proxy, class State, class... Args>
    Proxy make_proxy(Args&&... args) const {
        require_open();
        return Proxy{std::make_shared<State>(std::forward<Args>(args)...)};
    }
    template <class T, class... Args>
    object_proxy<T> make_object(bool locked, Args&&... args) const {
        if constexpr (!std::is_constructible_v<T, Args...> &&
                      std::is_constructible_v<T, detail::threads::travelled_t<Args>...>)
            return make_object<T>(locked, detail::threads::travelled(std::forward<Args>(args))...);
        else
            return make_proxy<object_proxy<T>, detail::threads::user_object<T>>(
                locked, std::forward<Args>(args)...);
    }
    template <class Proxy>
    static void require_object(const Proxy& proxy) {
        if constexpr (requires { proxy.operator bool(); })
            if (!proxy) detail::threads::throw_empty_proxy();
    }
    template <class R, class F, class Token>
    auto now(F call, Token&& token) const {
        return detail::threads::async_now<R>(
            [self = *this, call = std::move(call)] { return call(self); },
            std::forward<Token>(token));
    }
    /// Whether these are kept as what would arrive in another process.
    template <class T, class... Args>
    static constexpr bool takes_travelled = !std::is_constructible_v<T, std::decay_t<Args>...> &&
                                            std::is_constructible_v<T, travel_t<Args>...>;
    template <class T>
    struct made_from {
        template <class... Args>
        using with = std::enable_if<std::is_constructible_v<T, std::decay_t<Args>...> ||
                                        std::is_constructible_v<T, travel_t<Args>...>,
                                    object_proxy<T>>;
    };
    template <class T, bool Locked, class... Args>
    auto start_make(std::bool_constant<Locked> locked, Args&&... args) const {
        if constexpr (detail::ends_with_token<made_from<T>::template with, Args...>()) {
            return detail::complete_with_last(
                [&](auto&&... x) { return start_make<T>(locked, std::forward<decltype(x)>(x)...); },
                std::forward<Args>(args)...);
        } else if constexpr (takes_travelled<T, Args...>) {
            return start_make<T>(locked, detail::threads::travelled(std::forward<Args>(args))...);
        } else {
            require_open();
            return detail::async_start<object_proxy<T>>(
                [kept = detail::keep_arguments(std::forward<Args>(args)...)] {
                    return detail::threads::call_on<object_proxy<T>>(
                        detail::threads::call_lane(), [kept] {
                            return std::apply(
                                [](auto&... x) {
                                    return object_proxy<T>{
                                        std::make_shared<detail::threads::user_object<T>>(
                                            Locked, std::move(x)...)};
                                },
                                *kept);
                        });
                },
                boost::asio::deferred);
        }
    }
    void require_open() const;
    void publish_value(std::string_view name, detail::threads::named_value value) const;
    [[nodiscard]] std::shared_ptr<const void> find_value(std::string_view name,
                                                         const std::type_info& type) const;

    std::shared_ptr<detail::threads::manager_state> state_;
    bool started_ = true; // by who has this handle; not by who connected
};

} // namespace coproc::dummy
