// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Who a manager's server must not be disturbed by: strangers, wrong keys, broken messages.

#include "support/pools.hpp"

#include <coproc/manager.hpp>
#include <os/unique_fd.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <manager/address.hpp>
#include <manager/authentication.hpp>
#include <manager/transport.hpp>
#include <poll.h>
#include <random>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>

using namespace coproc_test;
using coproc::manager;
namespace detail = coproc::detail;

namespace {

const std::string key = "correct horse battery staple";

coproc::manager_options listening() {
    coproc::manager_options options;
    options.endpoint = "tcp://127.0.0.1:0";
    options.authkey = key;
    return options;
}

detail::os::unique_fd connect_raw(const manager& m) {
    return detail::connect_to(detail::manager_address::parse(m.endpoint()), 10s);
}

void send_bytes(const detail::os::unique_fd& to, const std::vector<std::byte>& bytes) {
    static_cast<void>(::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

std::vector<std::byte> bytes_of(const detail::frame& f) {
    std::vector<std::byte> result(sizeof f.header + f.payload.size());
    std::memcpy(result.data(), &f.header, sizeof f.header);
    std::copy(f.payload.begin(), f.payload.end(), result.begin() + sizeof f.header);
    return result;
}

/// Until the other side has closed.
bool is_closed(const detail::os::unique_fd& socket) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < until) {
        pollfd entry{socket.get(), POLLIN, 0};
        if (::poll(&entry, 1, 1000) <= 0) continue;
        char buffer[4096];
        const auto n = ::recv(socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN)) return true;
    }
    return false;
}

long rss_kb(pid_t pid) {
    std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
    std::string line;
    while (std::getline(status, line))
        if (line.starts_with("VmRSS:")) return std::atol(line.c_str() + 6);
    return 0;
}

/// Others go on as if nothing was.
void check_service(const manager& m) {
    auto c = manager::connect(m.endpoint(), key);
    auto v = c.value<int>(1);
    CHECK(v.exchange(2) == 1);
    CHECK(m.value<int>(3).get() == 3);
}

/// Proves the key by hand.
detail::os::unique_fd enter(const manager& m) {
    auto socket = connect_raw(m);
    detail::client_authentication greeting{key};
    detail::frame_parser parser;
    detail::frame in;
    send_bytes(socket, bytes_of(greeting.begin()));
    while (!greeting.done()) {
        pollfd entry{socket.get(), POLLIN, 0};
        REQUIRE(::poll(&entry, 1, 30'000) == 1);
        const auto room = parser.room();
        const auto n = ::recv(socket.get(), room.data(), room.size(), 0);
        REQUIRE(n > 0);
        parser.filled(static_cast<std::size_t>(n));
        while (parser.next(in))
            if (const auto next = greeting.on_frame(in)) send_bytes(socket, bytes_of(*next));
    }
    return socket;
}

} // namespace

TEST_CASE("a wrong key at a manager is an authentication_error") {
    manager m{listening()};
    CHECK_THROWS_AS(manager::connect(m.endpoint(), "wrong"), coproc::authentication_error);
    CHECK_THROWS_AS(manager::connect(m.endpoint(), ""), coproc::authentication_error);
    CHECK_THROWS_AS(manager::connect(m.endpoint(), key + '\0'), coproc::authentication_error);
    check_service(m);
}

TEST_CASE("no manager at the address") {
    std::string endpoint;
    {
        manager m{listening()};
        endpoint = m.endpoint();
    }
    CHECK_THROWS_AS(manager::connect(endpoint, key), coproc::end_of_stream_error);
    CHECK_THROWS_AS(manager::connect("tcp://127.0.0.1", key), std::invalid_argument);
    CHECK_THROWS_AS(manager::connect("127.0.0.1:80", key), std::invalid_argument);
    manager first{listening()};
    auto taken = listening();
    taken.endpoint = first.endpoint();
    CHECK_THROWS_AS(manager{taken}, std::system_error);
}

TEST_CASE("what answers is no manager") {
    auto listening_at = detail::listen_on(detail::manager_address::parse("tcp://127.0.0.1:0"));
    std::thread impostor{[&] {
        pollfd entry{listening_at.socket.get(), POLLIN, 0};
        ::poll(&entry, 1, 30'000);
        const detail::os::unique_fd one{::accept(listening_at.socket.get(), nullptr, nullptr)};
        static constexpr char text[] =
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html></html>";
        static_cast<void>(::send(one.get(), text, sizeof text, MSG_NOSIGNAL));
        char ignored[4096];
        while (::recv(one.get(), ignored, sizeof ignored, 0) > 0) {}
    }};
    CHECK_THROWS_AS(manager::connect(listening_at.endpoint, key), coproc::error);
    impostor.join();
    // One that says nothing.
    auto silent = detail::listen_on(detail::manager_address::parse("tcp://127.0.0.1:0"));
    coproc::manager_connect_options options;
    options.timeout = 50ms;
    CHECK_THROWS_AS(manager::connect(silent.endpoint, key, options), coproc::timeout_error);
}

TEST_CASE("half a frame and then nothing disturbs nobody, and is ended in time") {
    auto options = listening();
    options.authentication_timeout = 2s; // the others have to make it, on any machine
    manager m{options};
    auto silent = connect_raw(m);
    auto half = connect_raw(m);
    auto bytes = bytes_of(detail::client_authentication{key}.begin());
    bytes.resize(bytes.size() / 2);
    send_bytes(half, bytes);
    auto inside = enter(m); // proved, then half a frame: it may take its time
    detail::frame_header header;
    header.size = 1000;
    header.op = static_cast<std::uint16_t>(detail::manager_op::find);
    detail::frame f;
    f.header = header;
    send_bytes(inside, bytes_of(f));
    check_service(m);
    CHECK(is_closed(half));
    CHECK(is_closed(silent));
    pollfd entry{inside.get(), POLLIN, 0};
    CHECK(::poll(&entry, 1, 0) == 0); // still there
    check_service(m);
}

TEST_CASE("broken frames end their own connection only") {
    manager m{listening()};
    std::mt19937 random{3};
    for (int round = 0; round != 60; ++round) {
        auto socket = round % 2 == 0 ? connect_raw(m) : enter(m);
        detail::frame f;
        f.header.op = static_cast<std::uint16_t>(random());
        f.header.id = random();
        f.header.object = random() % 4;
        f.header.timeout = random();
        f.payload.resize(random() % 300);
        for (auto& b : f.payload)
            b = static_cast<std::byte>(random());
        f.header.size = round % 3 == 0 ? ~std::uint64_t{0} >> random() % 30 : f.payload.size();
        f.header.descriptors = round % 5 == 0 ? 7 : 0;
        send_bytes(socket, bytes_of(f));
        if (round % 10 == 0) check_service(m);
    }
    check_service(m);
}

TEST_CASE("a message beyond a manager's limit is refused with a text") {
    auto options = listening();
    options.max_message_bytes = 100'000;
    manager m{options};
    auto c = manager::connect(m.endpoint(), key);
    auto v = c.value<std::string>();
    v.set(std::string(90'000, 'x'));
    try {
        v.set(std::string(200'000, 'x'));
        FAIL("no error");
    } catch (const coproc::end_of_stream_error& e) {
        CHECK_THAT(e.what(), ContainsSubstring("100000"));
    }
    check_service(m);
}

TEST_CASE("a thousand connections that never authenticate keep nobody out") {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const std::size_t many = limit.rlim_cur > 1200 ? 1000 : 300;
    manager m{listening()};
    std::vector<detail::os::unique_fd> strangers;
    for (std::size_t i = 0; i != many; ++i) {
        strangers.push_back(connect_raw(m));
        if (i % 250 == 249) check_service(m);
    }
    check_service(m);
    CHECK(is_closed(strangers.front()));
}

TEST_CASE("a client that takes no answers is the only one that waits") {
    manager m{listening()};
    auto big = m.value<std::string>(std::string(1 << 20, 'z'));
    const long before = rss_kb(m.pid()); // most of it this program's, under sanitizers
    m.publish("big", big);
    auto greedy = enter(m);
    detail::frame f;
    f.header.op = static_cast<std::uint16_t>(detail::manager_op::find);
    f.header.id = 1;
    for (const char c : std::string{"big"})
        f.payload.push_back(static_cast<std::byte>(c));
    f.header.size = f.payload.size();
    send_bytes(greedy, bytes_of(f));
    // Its object's number is the first one of this manager.
    for (std::uint64_t i = 2; i != 200; ++i) {
        detail::frame load;
        load.header.op = static_cast<std::uint16_t>(detail::manager_op::value_load);
        load.header.id = i;
        load.header.object = 1;
        send_bytes(greedy, bytes_of(load));
    }
    for (int i = 0; i != 5; ++i)
        check_service(m);
    // The server kept a bounded part of the 200 MB.
    CHECK(rss_kb(m.pid()) - before < 100'000);
}

TEST_CASE("answers of a manager that come together reach all who wait for them") {
    const bool remote = GENERATE(false, true);
    const manager m = remote ? manager{listening()} : manager{};
    const manager c = remote ? manager::connect(m.endpoint(), key) : m;
    const auto q = c.queue<int>();
    asio::io_context context;
    for (int i = 0; i != 2000; ++i) {
        int got = -1;
        q.async_get(
            asio::bind_executor(context, [&](const std::exception_ptr&, int x) { got = x; }));
        q.put(i); // its answer and the other one may be read at once
        context.restart();
        context.run_for(patience);
        REQUIRE(got == i);
    }
}

TEST_CASE("TLS to a manager") {
    const signs s;
    const std::string certificate = s.path("certificate.pem");
    const std::string private_key = s.path("key.pem");
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout '" +
        private_key + "' -out '" + certificate + "' >/dev/null 2>&1";
    if (std::system(command.c_str()) != 0) {
        WARN("no openssl program here: TLS is not tested");
        return;
    }
    auto options = listening();
    options.tls.enabled = true;
    options.tls.certificate = certificate;
    options.tls.private_key = private_key;
    manager m{options};
    auto v = m.value<std::string>("hello");
    m.publish("greeting", v);

    coproc::manager_connect_options with_tls;
    with_tls.tls.enabled = true;
    with_tls.tls.authorities = certificate;
    with_tls.tls.verify_peer = true;
    with_tls.tls.server_name = "localhost";
    auto c = manager::connect(m.endpoint(), key, with_tls);
    auto found = c.find<coproc::value_proxy<std::string>>("greeting");
    CHECK(found.get() == "hello");
    const std::string large(3 << 20, 'l');
    found.set(large);
    CHECK(found.get() == large);
    asio::io_context context;
    auto q = c.queue<int>();
    q.async_get(asio::bind_executor(context, [](std::exception_ptr e, int x) {
        CHECK_FALSE(e);
        CHECK(x == 3);
    }));
    q.put(3);
    context.run();
    // The proxy takes what it needs along.
    coproc::pool pool{1};
    CHECK(pool.apply([](coproc::value_proxy<std::string> p) { return p.get().size(); }, found) ==
          large.size());

    SECTION("without authorities the key proves the server") {
        coproc::manager_connect_options plain;
        plain.tls.enabled = true;
        CHECK(manager::connect(m.endpoint(), key, plain)
                  .find<coproc::value_proxy<std::string>>("greeting")
                  .get() == large);
        CHECK_THROWS_AS(manager::connect(m.endpoint(), "wrong", plain),
                        coproc::authentication_error);
    }
    SECTION("another name than the certificate's") {
        with_tls.tls.server_name = "example.org";
        CHECK_THROWS_AS(manager::connect(m.endpoint(), key, with_tls), coproc::error);
    }
    SECTION("a client without TLS") {
        CHECK_THROWS_AS(manager::connect(m.endpoint(), key), coproc::error);
    }
    SECTION("files that are not there") {
        options.tls.certificate = "/nowhere";
        options.endpoint = "tcp://127.0.0.1:0";
        CHECK_THROWS_AS(manager{options}, coproc::error);
    }
    CHECK(v.get() == large);
}
