// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a manager asks its server for that is about no object, or not yet: written and read.

#include <coproc/detail/manager_protocol.hpp>
#include <coproc/detail/remote.hpp>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace coproc::detail {

class manager_client;

/// A new object of a class of the program's, which `function` makes of these arguments.
template <class... Args>
remote_payload pack_make(const void* function, bool locked, const std::string& type,
                         const Args&... args) {
    sizer s;
    size(s, locked);
    size(s, type);
    size_function(s, function);
    (size(s, args), ...);
    remote_payload result;
    result.bytes.resize(s.size());
    writer w{result.bytes, &result.descriptors};
    encode(w, locked);
    encode(w, type);
    encode_function(w, function);
    (encode(w, args), ...);
    return result;
}

/// The object that a reply refers to. If it was found by a name, its type may be another one.
class object_in_reply {
public:
    explicit object_in_reply(std::shared_ptr<manager_client> client) : client_{std::move(client)} {}
    object_in_reply(std::shared_ptr<manager_client> client, std::string name, std::string type)
        : client_{std::move(client)}, name_{std::move(name)}, type_{std::move(type)} {}

    remote_ptr operator()(remote_reply&& reply) const;

private:
    std::shared_ptr<manager_client> client_;
    std::string name_;
    std::string type_; // empty: any
};

template <class Proxy>
class read_object {
public:
    explicit read_object(object_in_reply how) : how_{std::move(how)} {}
    Proxy operator()(remote_reply&& reply) const { return Proxy::of(how_(std::move(reply))); }

private:
    object_in_reply how_;
};

/// `Result` of ends_with_token for making a T.
template <class T, class Proxy>
struct made_from {
    template <class... Args>
    using with = std::enable_if<std::is_constructible_v<T, travel_t<Args>...> || requires {
        T{std::declval<travel_t<Args>>()...};
    }, Proxy>;
};

} // namespace coproc::detail
