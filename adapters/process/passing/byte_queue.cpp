// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/byte_queue.hpp>

#include <coproc/error.hpp>

#include <exception>
#include <memory>
#include <passing/queue_object.hpp>
#include <shared/wait_service.hpp>
#include <utility>

namespace coproc::detail {

byte_queue::byte_queue(const queue_options& options)
    : object_{shared::create<queue_object>(options)} {}

byte_queue::byte_queue(std::shared_ptr<queue_object> object) noexcept
    : object_{std::move(object)} {}

bool byte_queue::put(const element_source& element, time_limit until) const {
    if (until == now()) {
        // Not worth encoding it.
        if (object_->maxsize() != 0 && object_->size() >= object_->maxsize() && !object_->closed())
            return false;
    }
    outgoing_element out{object_, element.bytes, element.descriptors,
                         [&](writer& w) { element.encode(element.value, w); }};
    return object_->wait(queue_object::room, until, [&] { return object_->try_put(out); });
}

bool byte_queue::get(const element_sink& take, time_limit until) const {
    return object_->wait(queue_object::items, until,
                         [&] { return object_->try_get([&](reader& r) { take(r); }); });
}

state_ptr<void> byte_queue::start_put(const element_source& element) const {
    auto out =
        std::make_shared<outgoing_element>(object_, element.bytes, element.descriptors,
                                           [&](writer& w) { element.encode(element.value, w); });
    return shared::start_waiting<void>(object_, queue_object::room,
                                       [queue = object_.get(), out](operation<void>& waiting) {
                                           if (!queue->try_put(*out)) return false;
                                           waiting.succeed();
                                           return true;
                                       });
}

namespace {

struct get_attempt {
    queue_object& queue;
    element_sink take;
    std::function<bool()> give_back;

    bool operator()(operation<void>& waiting) const {
        if (!queue.try_get([&](reader& r) { take(r); })) return false;
        waiting.succeed();
        return true;
    }
    bool undo(operation<void>& /*waiting*/) const noexcept { return give_back(); }
};

} // namespace

state_ptr<void> byte_queue::start_get(element_sink take, std::function<bool()> give_back) const {
    return shared::start_waiting<void>(
        object_, queue_object::items, get_attempt{*object_, std::move(take), std::move(give_back)});
}

bool byte_queue::put_back(const element_source& element) const noexcept {
    // The handles that came with it cannot be put in front of those of the others.
    if (element.descriptors != 0) return false;
    try {
        outgoing_element out{object_, element.bytes, 0,
                             [&](writer& w) { element.encode(element.value, w); }, true};
        object_->put_back(out);
        return true;
    } catch (const std::exception&) {
        return false;
    }
}

std::size_t byte_queue::size() const noexcept { return static_cast<std::size_t>(object_->size()); }
std::size_t byte_queue::maxsize() const noexcept {
    return static_cast<std::size_t>(object_->maxsize());
}
bool byte_queue::full() const noexcept { return maxsize() != 0 && size() >= maxsize(); }
bool byte_queue::closed() const noexcept { return object_->closed(); }
void byte_queue::close() const { object_->close(); }

void byte_queue::task_done() const { object_->task_done(); }

bool byte_queue::join(time_limit until) const {
    return object_->wait(queue_object::done, until, [&] { return object_->all_done(); });
}

state_ptr<void> byte_queue::start_join() const {
    return shared::start_waiting<void>(object_, queue_object::done,
                                       [queue = object_.get()](operation<void>& waiting) {
                                           if (!queue->all_done()) return false;
                                           waiting.succeed();
                                           return true;
                                       });
}

void byte_queue::size(sizer& s, const byte_queue& queue) {
    s.bytes(1);
    s.descriptor();
    if (queue.object_->lane() == nullptr) return;
    s.descriptor();
    s.descriptor();
}

void byte_queue::encode(writer& w, const byte_queue& queue) {
    const descriptor_lane* const lane = queue.object_->lane();
    w.raw(static_cast<std::uint8_t>(lane != nullptr));
    w.descriptor(queue.object_->descriptor());
    if (lane == nullptr) return;
    w.descriptor(lane->sender());
    w.descriptor(lane->receiver());
}

byte_queue byte_queue::decode(reader& r, const queue_options& expected) {
    const bool with_lane = r.raw<std::uint8_t>() != 0;
    os::unique_fd memory{r.descriptor()};
    std::optional<descriptor_lane> lane;
    if (with_lane) {
        os::unique_fd sender{r.descriptor()};
        os::unique_fd receiver{r.descriptor()};
        lane.emplace(std::move(sender), std::move(receiver));
    }
    if (const auto known =
            std::dynamic_pointer_cast<queue_object>(shared::find_object(memory.get()))) {
        known->require_type(expected.type + (expected.joinable ? 1 : 0));
        return byte_queue{known};
    }
    return byte_queue{shared::create<queue_object>(std::move(memory), expected, lane)};
}

std::uint64_t type_number(const char* mangled) noexcept {
    // FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (; *mangled != '\0'; ++mangled)
        hash = (hash ^ static_cast<unsigned char>(*mangled)) * 0x100000001b3u;
    return hash & ~std::uint64_t{1};
}

} // namespace coproc::detail
