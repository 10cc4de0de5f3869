// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// TLS on a socket that never blocks. OpenSSL works on memory; the socket is ours, because OpenSSL's
// own would raise SIGPIPE in a program that does not expect it.

#include <os/system_call.hpp>

#include <boost/asio/ssl/context.hpp>

#include <algorithm>
#include <manager/frame.hpp>
#include <manager/transport.hpp>
#include <mutex>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <utility>

namespace coproc::detail {

class tls_context {
public:
    tls_context(const tls_files& files, bool server_side)
        : context{server_side ? boost::asio::ssl::context::tls_server
                              : boost::asio::ssl::context::tls_client},
          server{server_side},
          host{files.host},
          verify{files.verify_peer} {
        namespace ssl = boost::asio::ssl;
        try {
            context.set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 |
                                ssl::context::no_sslv3 | ssl::context::no_tlsv1 |
                                ssl::context::no_tlsv1_1 | ssl::context::no_compression);
            if (!files.certificate.empty()) context.use_certificate_chain_file(files.certificate);
            if (!files.private_key.empty())
                context.use_private_key_file(files.private_key, ssl::context::pem);
            if (!files.authorities.empty()) context.load_verify_file(files.authorities);
        } catch (const boost::system::system_error& e) {
            throw error{"coproc: TLS for a manager: " + e.code().message() + " (certificate \"" +
                        files.certificate + "\", key \"" + files.private_key +
                        "\", authorities \"" + files.authorities + "\")"};
        }
        if (server_side && files.certificate.empty())
            throw error{"coproc: a manager with TLS needs a certificate and its private key"};
        ::SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    }

    boost::asio::ssl::context context;
    bool server;
    std::string host;
    bool verify;
};

std::shared_ptr<tls_context> make_tls_context(const tls_files& files, bool server) {
    return std::make_shared<tls_context>(files, server);
}

namespace {

std::string reason() {
    const unsigned long code = ::ERR_get_error();
    const char* const text = ::ERR_reason_error_string(code);
    return text != nullptr ? text : "no reason given";
}

class tls_over_memory final : public tls_transport {
public:
    tls_over_memory(os::unique_fd socket, std::shared_ptr<tls_context> context)
        : tls_transport{std::move(socket)},
          context_{std::move(context)},
          ssl_{::SSL_new(context_->context.native_handle())} {
        if (ssl_ == nullptr) throw error{"coproc: TLS is not available: " + reason()};
        in_ = ::BIO_new(::BIO_s_mem());
        out_ = ::BIO_new(::BIO_s_mem());
        ::SSL_set_bio(ssl_, in_, out_); // which owns them now
        ::SSL_set_mode(ssl_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
        if (context_->verify) {
            ::SSL_set_verify(ssl_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
            if (!context_->server && !context_->host.empty())
                ::SSL_set1_host(ssl_, context_->host.c_str());
        }
        if (context_->server) {
            ::SSL_set_accept_state(ssl_);
        } else {
            if (!context_->host.empty()) SSL_set_tlsext_host_name(ssl_, context_->host.c_str());
            ::SSL_set_connect_state(ssl_);
            step();
        }
    }
    ~tls_over_memory() override { ::SSL_free(ssl_); }

    progress read(std::span<std::byte> into) override {
        const std::scoped_lock lock{mutex_};
        for (;;) {
            if (!secured_ && !step()) {
                // more has to come first
            } else {
                ::ERR_clear_error();
                std::size_t n = 0;
                const int result = ::SSL_read_ex(ssl_, into.data(), into.size(), &n);
                if (result == 1) return {n, false};
                const int why = ::SSL_get_error(ssl_, result);
                flush();
                if (why == SSL_ERROR_ZERO_RETURN) return {0, true};
                if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
                    throw protocol_error{"coproc: TLS with a manager failed: " + reason()};
            }
            std::byte buffer[16 * 1024];
            const ssize_t n =
                os::retry([&] { return ::recv(socket(), buffer, sizeof buffer, MSG_DONTWAIT); });
            if (n == 0) return {0, true};
            if (n < 0) return {0, errno != EAGAIN && errno != EWOULDBLOCK};
            ::BIO_write(in_, buffer, static_cast<int>(n));
        }
    }
    progress write(std::span<const std::byte> from) override {
        const std::scoped_lock lock{mutex_};
        if (!flush()) return {0, true};
        // Not before what was encrypted earlier is out: memory is not a socket, and has no end.
        if (!secured_ || pending() || from.empty()) return {0, false};
        ::ERR_clear_error();
        std::size_t n = 0;
        const int result = ::SSL_write_ex(ssl_, from.data(), from.size(), &n);
        if (result != 1) {
            const int why = ::SSL_get_error(ssl_, result);
            if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
                throw protocol_error{"coproc: TLS with a manager failed: " + reason()};
        }
        if (!flush()) return {0, true};
        return {n, false};
    }
    [[nodiscard]] bool wants_to_write() const noexcept override {
        const std::scoped_lock lock{mutex_};
        return pending();
    }
    /// What the socket gave already is not waited for there.
    [[nodiscard]] bool arm(bool for_bytes, bool) override {
        const std::scoped_lock lock{mutex_};
        return for_bytes && (::SSL_pending(ssl_) != 0 || ::BIO_ctrl_pending(in_) != 0);
    }
    [[nodiscard]] bool secured() const noexcept override {
        const std::scoped_lock lock{mutex_};
        return secured_;
    }
    [[nodiscard]] std::string binding() const override {
        const std::scoped_lock lock{mutex_};
        std::string result(32, '\0');
        static constexpr char label[] = "EXPORTER-coproc-manager";
        if (::SSL_export_keying_material(ssl_, reinterpret_cast<unsigned char*>(result.data()),
                                         result.size(), label, sizeof label - 1, nullptr, 0,
                                         0) != 1)
            throw protocol_error{"coproc: TLS with a manager failed: no key material"};
        return result;
    }

private:
    /// One step of the TLS handshake; true once it is done.
    bool step() {
        ::ERR_clear_error();
        const int result = ::SSL_do_handshake(ssl_);
        const int why = result == 1 ? SSL_ERROR_NONE : ::SSL_get_error(ssl_, result);
        const std::string text =
            why == SSL_ERROR_SSL ? reason() : std::string{}; // flush() may clear it
        flush();
        if (result == 1) secured_ = true;
        if (why == SSL_ERROR_SSL || why == SSL_ERROR_SYSCALL)
            throw protocol_error{"coproc: TLS with a manager could not be set up: " + text};
        return secured_;
    }
    [[nodiscard]] bool pending() const noexcept { return ::BIO_ctrl_pending(out_) != 0; }
    /// What OpenSSL wants to send, as far as the socket takes it. False: the peer is gone.
    bool flush() {
        for (;;) {
            char* from = nullptr;
            const long size = BIO_get_mem_data(out_, &from);
            if (size <= 0) return true;
            const ssize_t n = os::retry([&] {
                return ::send(socket(), from, static_cast<std::size_t>(size),
                              MSG_DONTWAIT | MSG_NOSIGNAL);
            });
            if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
            std::byte consumed[4096];
            for (ssize_t left = n; left > 0;) {
                const int taken = ::BIO_read(
                    out_, consumed, static_cast<int>(std::min<ssize_t>(left, sizeof consumed)));
                if (taken <= 0) break;
                left -= taken;
            }
        }
    }

    mutable std::mutex mutex_;
    std::shared_ptr<tls_context> context_;
    SSL* ssl_;
    BIO* in_ = nullptr;
    BIO* out_ = nullptr;
    bool secured_ = false;
};

} // namespace

std::unique_ptr<tls_transport> make_tls_transport(os::unique_fd socket,
                                                  std::shared_ptr<tls_context> context) {
    return std::make_unique<tls_over_memory>(std::move(socket), std::move(context));
}

} // namespace coproc::detail
