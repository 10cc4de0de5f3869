// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <manager/address.hpp>

#include <coproc/duration.hpp>
#include <coproc/error.hpp>
#include <os/clock.hpp>
#include <os/system_call.hpp>

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <manager/authentication.hpp>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>

namespace coproc::detail {
namespace {

constexpr std::string_view tcp_prefix = "tcp://";
constexpr std::string_view unix_prefix = "unix:@";
constexpr int backlog = 4096;

[[noreturn]] void bad(const std::string& endpoint) {
    throw std::invalid_argument{"coproc: \"" + endpoint +
                                "\" is not the address of a manager; one looks like "
                                "tcp://127.0.0.1:5000, tcp://[::1]:5000 or tcp://host:0"};
}

struct free_addresses {
    void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};
using addresses = std::unique_ptr<addrinfo, free_addresses>;

addresses resolve(const manager_address& where, bool passive) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = passive ? AI_PASSIVE : 0;
    addrinfo* found = nullptr;
    const int result = ::getaddrinfo(where.host.empty() ? nullptr : where.host.c_str(),
                                     where.port.c_str(), &hints, &found);
    if (result != 0)
        throw error{"coproc: the manager's address " + where.host + ":" + where.port +
                    " cannot be resolved: " + ::gai_strerror(result)};
    return addresses{found};
}

std::string describe(const manager_address& where) {
    return where.local ? "coproc: no manager listens any more at unix:@" + where.host
                       : "coproc: no manager answers at tcp://" + where.host + ":" + where.port;
}

struct local_name {
    sockaddr_un address{};
    socklen_t size = 0;
};
local_name name_of(const std::string& name) {
    local_name result;
    if (name.size() + 1 > sizeof result.address.sun_path) bad("unix:@" + name);
    result.address.sun_family = AF_UNIX;
    std::memcpy(result.address.sun_path + 1, name.data(), name.size()); // after a zero: abstract
    result.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    return result;
}

} // namespace

manager_address manager_address::parse(const std::string& endpoint) {
    manager_address result;
    if (endpoint.starts_with(unix_prefix)) {
        result.local = true;
        result.host = endpoint.substr(unix_prefix.size());
        if (result.host.empty()) bad(endpoint);
        return result;
    }
    if (!endpoint.starts_with(tcp_prefix)) bad(endpoint);
    const std::string rest = endpoint.substr(tcp_prefix.size());
    const auto colon = rest.rfind(':');
    if (colon == std::string::npos || colon + 1 == rest.size() ||
        rest.find_first_not_of("0123456789", colon + 1) != std::string::npos ||
        rest.size() - colon > 6)
        bad(endpoint);
    result.host = rest.substr(0, colon);
    result.port = rest.substr(colon + 1);
    if (result.host.size() >= 2 && result.host.front() == '[' && result.host.back() == ']')
        result.host = result.host.substr(1, result.host.size() - 2);
    return result;
}

void prepare_tcp(int socket) noexcept {
    const auto set = [socket](int level, int option, int value) {
        static_cast<void>(::setsockopt(socket, level, option, &value, sizeof value));
    };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 20);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, 50'000); // ms
}

listening_socket listen_locally() {
    const std::string name = "coproc-manager-" + make_key().substr(0, 24);
    os::unique_fd socket{os::check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
                                   "create a socket")};
    const local_name at = name_of(name);
    os::check(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&at.address), at.size),
              "bind a manager's local socket");
    os::check(::listen(socket.get(), backlog), "listen on a manager's local socket");
    return {std::move(socket), std::string{unix_prefix} + name};
}

listening_socket listen_on(const manager_address& where) {
    if (where.local)
        throw std::invalid_argument{"coproc: a manager's endpoint is a tcp:// address, or empty "
                                    "for this machine only"};
    const addresses found = resolve(where, true);
    int reason = EADDRNOTAVAIL;
    for (const addrinfo* each = found.get(); each != nullptr; each = each->ai_next) {
        os::unique_fd socket{
            ::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
        const int yes = 1;
        if (!socket ||
            ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
            ::bind(socket.get(), each->ai_addr, each->ai_addrlen) != 0 ||
            ::listen(socket.get(), backlog) != 0) {
            reason = errno;
            continue;
        }
        sockaddr_storage own{};
        socklen_t size = sizeof own;
        os::check(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size),
                  "ask for a socket's address");
        const auto port =
            ::ntohs(own.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(own).sin6_port
                                              : reinterpret_cast<const sockaddr_in&>(own).sin_port);
        const bool colons = where.host.find(':') != std::string::npos;
        return {std::move(socket), std::string{tcp_prefix} + (colons ? "[" : "") + where.host +
                                       (colons ? "]:" : ":") + std::to_string(port)};
    }
    os::throw_system_error(("listen at tcp://" + where.host + ":" + where.port).c_str(), reason);
}

os::unique_fd connect_to(const manager_address& where, std::chrono::nanoseconds timeout) {
    if (where.local) {
        os::unique_fd socket{
            os::check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "create a socket")};
        const local_name at = name_of(where.host);
        // While the backlog is full a connect blocks, for so long:
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
        const timeval limit{std::max<time_t>(1, seconds.count()), 0};
        static_cast<void>(
            ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
        if (os::retry([&] {
                return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&at.address),
                                 at.size);
            }) != 0)
            throw end_of_stream_error{describe(where) + ": " + std::strerror(errno)};
        const int flags = ::fcntl(socket.get(), F_GETFL);
        ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK);
        return socket;
    }
    const addresses found = resolve(where, false);
    const auto until = deadline_after(timeout);
    int reason = ECONNREFUSED;
    for (const addrinfo* each = found.get(); each != nullptr; each = each->ai_next) {
        os::unique_fd socket{
            ::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
        if (!socket) {
            reason = errno;
            continue;
        }
        prepare_tcp(socket.get());
        if (::connect(socket.get(), each->ai_addr, each->ai_addrlen) == 0) return socket;
        if (errno != EINPROGRESS) {
            reason = errno;
            continue;
        }
        pollfd entry{socket.get(), POLLOUT, 0};
        const timespec limit = os::to_timespec(until - steady::now());
        if (::ppoll(&entry, 1, &limit, nullptr) <= 0) {
            reason = ETIMEDOUT;
            continue;
        }
        int result = 0;
        socklen_t size = sizeof result;
        ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &result, &size);
        if (result == 0) return socket;
        reason = result;
    }
    if (reason == ETIMEDOUT)
        throw timeout_error{timeout_kind::waiting, describe(where) + " in time"};
    throw end_of_stream_error{describe(where) + ": " + std::strerror(reason)};
}

} // namespace coproc::detail
