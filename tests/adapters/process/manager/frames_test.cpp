// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// The manager's frames and their authentication, fed by hand.

#include "support/catch.hpp"

#include <coproc/codec.hpp>

#include <cstring>
#include <manager/authentication.hpp>
#include <manager/frame.hpp>
#include <random>

using namespace coproc::detail;

namespace {

std::vector<std::byte> bytes_of(const frame_header& header, const std::string& payload = {}) {
    std::vector<std::byte> result(sizeof header + payload.size());
    std::memcpy(result.data(), &header, sizeof header);
    std::memcpy(result.data() + sizeof header, payload.data(), payload.size());
    return result;
}

frame_header header_for(const std::string& payload, std::uint64_t id = 1) {
    frame_header header;
    header.size = payload.size();
    header.op = static_cast<std::uint16_t>(manager_op::dict_set);
    header.id = id;
    return header;
}

std::string text_of(const frame& f) {
    return {reinterpret_cast<const char*>(f.payload.data()), f.payload.size()};
}

/// Both sides, connected. `change` may alter a frame on its way.
struct conversation {
    server_authentication server;
    client_authentication client;

    template <class Change>
    void run(Change change) {
        std::optional<frame> up = client.begin();
        while (up) {
            change(*up);
            frame down = server.on_frame(*up);
            change(down);
            up = client.on_frame(down);
        }
    }
};

} // namespace

TEST_CASE("manager frames arrive whole, however the bytes come") {
    std::mt19937 random{7};
    std::vector<std::byte> stream;
    std::vector<std::string> sent;
    for (int i = 0; i != 200; ++i) {
        const auto size = i % 50 == 0 ? 200'000u : random() % 300;
        sent.emplace_back(size, static_cast<char>('a' + i % 26));
        const auto next =
            bytes_of(header_for(sent.back(), static_cast<std::uint64_t>(i)), sent.back());
        stream.insert(stream.end(), next.begin(), next.end());
    }
    frame_parser parser;
    parser.allow(1 << 20, 0);
    std::size_t at = 0;
    std::size_t seen = 0;
    frame next;
    while (at != stream.size()) {
        const auto room = parser.room();
        const auto n = std::min({room.size(), stream.size() - at, 1 + random() % 5000});
        std::memcpy(room.data(), stream.data() + at, n);
        parser.filled(n);
        at += n;
        while (parser.next(next)) {
            REQUIRE(seen < sent.size());
            CHECK(next.header.id == seen);
            CHECK(text_of(next) == sent[seen]);
            ++seen;
        }
    }
    CHECK(seen == sent.size());
    CHECK_FALSE(parser.midway());
}

TEST_CASE("a manager's frame beyond the limit is refused before its bytes come") {
    frame_parser parser;
    frame_header header = header_for("");
    header.size = frame_parser::stranger_limit + 1;
    parser.feed(bytes_of(header));
    frame next;
    CHECK_THROWS_AS(parser.next(next), protocol_error);
}

TEST_CASE("a large announced size takes no memory") {
    frame_parser parser;
    parser.allow(std::size_t{1} << 50, 0);
    frame_header header = header_for("");
    header.size = std::uint64_t{1} << 49;
    parser.feed(bytes_of(header, "a few bytes"));
    frame next;
    CHECK_FALSE(parser.next(next));
    CHECK(parser.midway());
}

TEST_CASE("descriptors are only announced where they can come") {
    frame_parser parser;
    frame_header header = header_for("");
    header.descriptors = 1;
    parser.feed(bytes_of(header));
    frame next;
    CHECK_THROWS_AS(parser.next(next), protocol_error);
}

TEST_CASE("both sides prove the key to each other") {
    conversation talk{server_authentication{"secret"}, client_authentication{"secret"}};
    std::string everything;
    talk.run([&](const frame& f) { everything += text_of(f); });
    CHECK(talk.server.done());
    CHECK(talk.client.done());
    CHECK(everything.find("secret") == std::string::npos);
    CHECK(talk.server.peer().build_id == talk.client.peer().build_id);
}

TEST_CASE("a server's process tells all clients the same number") {
    conversation one{server_authentication{"key"}, client_authentication{"key"}};
    conversation two{server_authentication{"key"}, client_authentication{"key"}};
    one.run([](const frame&) {});
    two.run([](const frame&) {});
    CHECK(one.client.peer().instance != 0);
    CHECK(one.client.peer().instance == two.client.peer().instance);
}

TEST_CASE("a wrong key is an authentication_error and nothing else") {
    conversation talk{server_authentication{"right"}, client_authentication{"wrong"}};
    int frames = 0;
    CHECK_THROWS_AS(talk.run([&](const frame&) { ++frames; }), coproc::authentication_error);
    CHECK(frames == 4); // hello, challenge, proof, refused
    CHECK(talk.server.rejected());
    CHECK_FALSE(talk.server.proved());
}

TEST_CASE("a server that does not know the key is found out") {
    client_authentication client{"right"};
    server_authentication impostor{"guessed"};
    auto challenge = impostor.on_frame(client.begin());
    REQUIRE(client.on_frame(challenge)); // the proof, which it cannot check
    frame fake;
    fake.header.op = static_cast<std::uint16_t>(manager_op::counterproof);
    fake.payload.resize(32);
    CHECK_THROWS_AS(client.on_frame(fake), coproc::authentication_error);
}

TEST_CASE("a proof cannot be sent back as the other side's") {
    client_authentication client{"right"};
    server_authentication server{"right"};
    auto challenge = server.on_frame(client.begin());
    auto proof = client.on_frame(challenge);
    REQUIRE(proof);
    proof->header.op = static_cast<std::uint16_t>(manager_op::counterproof);
    CHECK_THROWS_AS(client.on_frame(*proof), coproc::authentication_error);
}

TEST_CASE("an old proof does not open a new connection") {
    std::optional<frame> recorded;
    conversation first{server_authentication{"key"}, client_authentication{"key"}};
    first.run([&](const frame& f) {
        if (f.op() == manager_op::proof) recorded = f;
    });
    server_authentication later{"key"};
    later.on_frame(client_authentication{"key"}.begin());
    CHECK(later.on_frame(*recorded).op() == manager_op::refused);
    CHECK(later.rejected());
}

TEST_CASE("a proof holds for its own TLS connection only") {
    conversation talk{server_authentication{"key"}, client_authentication{"key"}};
    talk.client.bind("material on this side of the man in the middle");
    talk.server.bind("material on that side");
    CHECK_THROWS_AS(talk.run([](const frame&) {}), coproc::authentication_error);
}

TEST_CASE("garbage instead of a proof ends the connection") {
    std::mt19937 random{11};
    for (int round = 0; round != 2000; ++round) {
        server_authentication server{"key"};
        try {
            for (int i = 0; i != 4; ++i) {
                frame f;
                f.header.op = static_cast<std::uint16_t>(random() % 9);
                f.payload.resize(random() % 100);
                for (auto& b : f.payload)
                    b = static_cast<std::byte>(random());
                if (i == 0 && round % 2 == 0) f = client_authentication{"other"}.begin();
                server.on_frame(f);
                REQUIRE_FALSE(server.proved());
            }
            FAIL("it went on talking");
        } catch (const protocol_error&) {
            CHECK_FALSE(server.proved());
        }
    }
}
