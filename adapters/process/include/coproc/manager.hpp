// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Objects that live in a process of their own, and that any process can use: this program's
// workers, and with an endpoint and a key, other programs on other machines.

#include <coproc/array_proxy.hpp>
#include <coproc/detail/patient.hpp>
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

#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>
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

    template <class Proxy, class... Initial>
    [[nodiscard]] Proxy create(detail::hosted_kind kind, const Initial&... initial) const {
        auto what = detail::pack(kind, Proxy::type(), initial...);
        return Proxy::of(create_object(detail::manager_op::create, what));
    }
    template <class T, class... Args>
    [[nodiscard]] object_proxy<T> make_object(bool locked, Args&&... args) const {
        (detail::require_sendable<travel_t<Args>>(), ...);
        require_same_build();
        const auto function =
            reinterpret_cast<const void*>(&detail::remote_make<T, travel_t<Args>...>::make);
        return object_proxy<T>::of(create_object(
            detail::manager_op::make, pack_make(function, locked, object_proxy<T>::type(),
                                                detail::to_travel(std::forward<Args>(args))...)));
    }
    template <class... Args>
    static detail::remote_payload pack_make(const void* function, bool locked,
                                            const std::string& type, const Args&... args) {
        detail::sizer s;
        detail::size(s, locked);
        detail::size(s, type);
        detail::size_function(s, function);
        (detail::size(s, args), ...);
        detail::remote_payload result;
        result.bytes.resize(s.size());
        detail::writer w{result.bytes, &result.descriptors};
        detail::encode(w, locked);
        detail::encode(w, type);
        detail::encode_function(w, function);
        (detail::encode(w, args), ...);
        return result;
    }

    [[nodiscard]] detail::remote_reply ask(detail::manager_op op, std::uint64_t object,
                                           const detail::remote_payload& what) const;
    [[nodiscard]] detail::remote_ptr create_object(detail::manager_op op,
                                                   const detail::remote_payload& what) const;
    [[nodiscard]] detail::remote_ptr find_object(std::string_view name,
                                                 const std::string& type) const;
    void publish_object(std::string_view name, const detail::remote_ptr& object) const;
    void require_same_build() const;

    std::shared_ptr<detail::manager_state> state_;
};

} // namespace coproc
