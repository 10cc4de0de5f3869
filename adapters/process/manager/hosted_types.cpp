// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <manager/hosted_common.hpp>
#include <utility>

namespace coproc::detail {

std::unique_ptr<hosted_objects::object> make_hosted(hosted_kind kind, std::string type, reader& r,
                                                    std::shared_ptr<kept_loans> loans) {
    const auto rest = [&] {
        const std::size_t size = r.left();
        const std::byte* const from = r.bytes(size);
        return hosted_value{bytes_t(from, from + size), {}, std::move(loans)};
    };
    switch (kind) {
    case hosted_kind::dict:
    case hosted_kind::names:
        return hosted::make_dict(kind, std::move(type));
    case hosted_kind::list:
        return hosted::make_list(kind, std::move(type), 0, hosted_value{});
    case hosted_kind::array: {
        const auto count = r.raw<std::uint64_t>();
        return hosted::make_list(kind, std::move(type), count, rest());
    }
    case hosted_kind::value:
        return hosted::make_single(std::move(type), rest());
    case hosted_kind::queue:
        return hosted::make_queue(std::move(type), r.raw<std::uint64_t>());
    case hosted_kind::mutex:
        return hosted::make_mutex(std::move(type));
    case hosted_kind::semaphore: {
        const auto count = r.raw<std::uint64_t>();
        const auto most = r.raw<std::uint64_t>();
        if (count > most) malformed();
        return hosted::make_semaphore(std::move(type), count, most);
    }
    case hosted_kind::event:
        return hosted::make_event(std::move(type));
    case hosted_kind::object:
        break;
    }
    malformed();
}

} // namespace coproc::detail
