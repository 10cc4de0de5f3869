#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The coproc authors
# SPDX-License-Identifier: BSL-1.0

"""What Python's pools need for the same things: multiprocessing.Pool, concurrent.futures, joblib and loky.

Prints one JSON object: {"figures": {name: [value, unit]}, "remarks": [text]}. What is not installed is remarked.
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import multiprocessing.managers
import os
import queue
import signal
import statistics
import subprocess
import sys
import threading
import time

WORKERS = 2
ECHO_BYTES = 64 << 20
PATIENCE = 2  # seconds for what may never happen


def increment(x):
    return x + 1


def plus_thousand(x):
    return x + 1000


def echo(data):
    return data


def timed(f):
    began = time.perf_counter()
    f()
    return time.perf_counter() - began


def repeated(rounds, f):
    f()
    return statistics.median(timed(f) for _ in range(rounds))


def round_trip(call, rounds):
    for i in range(rounds // 10):
        call(i)
    return statistics.median(timed(lambda: call(i)) for i in range(rounds))


# --- multiprocessing.Pool -------------------------------------------------------------------------------------------


def first_result(method):
    """Made and first result, in a fresh interpreter each time."""
    code = (
        "import multiprocessing, time, operator\n"
        "if __name__ == '__main__':\n"
        f"    context = multiprocessing.get_context({method!r})\n"
        "    began = time.perf_counter()\n"
        f"    pool = context.Pool({WORKERS})\n"
        "    pool.apply(operator.add, (1, 1))\n"
        "    print(time.perf_counter() - began)\n"
        "    pool.terminate()\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(answer.stdout)


def killed_worker():
    """How long until the task of a killed worker fails, in an interpreter of its own, which may never end."""
    code = (
        "import multiprocessing, os, signal, time\n"
        "if __name__ == '__main__':\n"
        f"    pool = multiprocessing.get_context('fork').Pool({WORKERS})\n"
        "    pool.apply(os.getpid)\n"
        "    doomed = pool.apply_async(time.sleep, (600,))\n"
        "    time.sleep(0.1)\n"
        "    began = time.perf_counter()\n"
        "    for worker in list(pool._pool):\n"
        "        os.kill(worker.pid, signal.SIGKILL)\n"
        "    try:\n"
        f"        doomed.get(timeout={PATIENCE})\n"
        "    except multiprocessing.TimeoutError:\n"
        "        print(-1, flush=True)\n"
        "    except BaseException:\n"
        "        print(time.perf_counter() - began, flush=True)\n"
        "    for worker in list(pool._pool):\n"
        "        os.kill(worker.pid, signal.SIGKILL)\n"
        "    os._exit(0)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    return float(answer.stdout or -1)


def multiprocessing_pool(quick, wants, put, remark):
    for method in ("fork", "forkserver", "spawn"):
        if wants(f"pool.first_result.{method}"):
            rounds = 3 if quick else 9
            put(f"pool.first_result.{method}", statistics.median(first_result(method) for _ in range(rounds)) * 1e3, "ms")

    tasks = 5_000 if quick else 30_000
    with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
        if wants("pool.apply"):
            put("pool.apply", round_trip(lambda i: pool.apply(increment, (i,)), tasks // 10) * 1e9, "ns")
        if wants("pool.stream"):

            def stream():
                for result in [pool.apply_async(increment, (i,)) for i in range(tasks)]:
                    result.get()

            put("pool.stream", repeated(1 if quick else 3, stream) / tasks * 1e9, "ns")
        if wants("pool.imap"):
            put("pool.imap", timed(lambda: sum(pool.imap(increment, range(tasks)))) / tasks * 1e9, "ns")
        if wants("pool.map_1e6"):
            numbers = list(range(1_000_000))
            put("pool.map_1e6", repeated(2 if quick else 5, lambda: pool.map(plus_thousand, numbers)) * 1e3, "ms")
        if wants("pool.echo_64mb"):
            data = b"x" * ECHO_BYTES
            seconds = repeated(1 if quick else 3, lambda: pool.apply(echo, (data,)))
            put("pool.echo_64mb", 2 * ECHO_BYTES / seconds / 1e9, "GB/s")
    if wants("pool.kill_to_error"):
        took = killed_worker()
        if took < 0:
            remark(f"multiprocessing.Pool: the task of a killed worker had not failed after {PATIENCE} s; it never does")
        else:
            put("pool.kill_to_error", took * 1e3, "ms")


# --- what passes between processes ------------------------------------------------------------------------------------


def fill(elements, count, size):
    element = b"x" * size if size else 1
    for _ in range(count):
        elements.put(element)


def answer(end, count):
    for _ in range(count):
        end.send(end.recv() + 1)


def lock_often(lock, count):
    for _ in range(count):
        with lock:
            pass


class Counter:
    def __init__(self):
        self.sum = 0

    def add(self, n):
        self.sum += n
        return self.sum


class CounterManager(multiprocessing.managers.BaseManager):
    pass


CounterManager.register("Counter", Counter)


def beside(context, target, *arguments):
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def passing(quick, wants, put):
    context = multiprocessing.get_context("fork")
    share = 10 if quick else 1

    def queue_seconds(elements, make, count, size):
        def once():
            other = make(fill, elements, count, size)
            for _ in range(count):
                elements.get()
            other.join()

        return repeated(1 if quick else 3, once) / count

    def as_process(*arguments):
        return beside(context, *arguments)

    def as_thread(target, *arguments):
        thread = threading.Thread(target=target, args=arguments)
        thread.start()
        return thread

    if wants("mp.queue_put_get"):
        put("mp.queue_put_get", queue_seconds(context.Queue(), as_process, 50_000 // share, 0) * 1e9, "ns")
    if wants("mp.thread_queue_put_get"):
        put("mp.thread_queue_put_get", queue_seconds(queue.Queue(), as_thread, 50_000 // share, 0) * 1e9, "ns")
    if wants("mp.queue_1mb"):
        seconds = queue_seconds(context.Queue(4), as_process, 200 // share, 1 << 20)
        put("mp.queue_1mb", (1 << 20) / seconds / 1e9, "GB/s")
    if wants("mp.pipe_ping_pong"):
        rounds = 10_000 // share
        here, there = context.Pipe()

        def ping_pong():
            other = beside(context, answer, there, rounds)
            for i in range(rounds):
                here.send(i)
                here.recv()
            other.join()

        put("mp.pipe_ping_pong", repeated(1 if quick else 3, ping_pong) / rounds * 1e9, "ns")
    if wants("mp.lock_uncontended"):
        rounds = 200_000 // share
        lock = context.Lock()
        put("mp.lock_uncontended", repeated(1 if quick else 3, lambda: lock_often(lock, rounds)) / rounds * 1e9, "ns")
    if wants("mp.lock_contended"):
        rounds = 50_000 // share
        lock = context.Lock()

        def two():
            others = [beside(context, lock_often, lock, rounds) for _ in range(2)]
            for other in others:
                other.join()

        put("mp.lock_contended", repeated(1 if quick else 3, two) / (2 * rounds) * 1e9, "ns")
    if wants("mp.manager_call"):
        with CounterManager(ctx=context) as manager:
            counter = manager.Counter()
            put("mp.manager_call", round_trip(lambda i: counter.add(1), 5_000 // share) * 1e9, "ns")
    if wants("mp.manager_dict_set"):
        with context.Manager() as manager:
            shared = manager.dict()
            put("mp.manager_dict_set", round_trip(lambda i: shared.__setitem__(i % 100, i), 5_000 // share) * 1e9, "ns")


# --- concurrent.futures and those with its interface --------------------------------------------------------------------


def executor(prefix, make, quick, wants, put):
    if not any(wants(f"{prefix}.{what}") for what in ("apply", "stream", "kill_to_error")):
        return
    tasks = 2_000 if quick else 10_000
    with make() as pool:
        pool.submit(increment, 1).result()
        put(f"{prefix}.apply", round_trip(lambda i: pool.submit(increment, i).result(), tasks // 10) * 1e9, "ns")

        def stream():
            for future in [pool.submit(increment, i) for i in range(tasks)]:
                future.result()

        put(f"{prefix}.stream", repeated(1 if quick else 3, stream) / tasks * 1e9, "ns")
    pool = make()
    pids = {pool.submit(os.getpid).result() for _ in range(20)}
    doomed = pool.submit(time.sleep, 20)
    time.sleep(0.1)
    began = time.perf_counter()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    try:
        doomed.result(timeout=5)
    except Exception:  # pylint: disable=broad-except
        put(f"{prefix}.kill_to_error", (time.perf_counter() - began) * 1e3, "ms")
    pool.shutdown(wait=False)


def joblib_and_loky(quick, wants, put, remark):
    # pylint: disable=import-outside-toplevel
    try:
        try:
            import loky
        except ImportError:
            from joblib.externals import loky  # joblib brings it along

        executor("loky", lambda: loky.ProcessPoolExecutor(max_workers=WORKERS), quick, wants, put)
    except ImportError:
        remark("missing: loky is not installed (pip install loky)")
    try:
        import joblib

        if wants("joblib.stream"):
            tasks = 2_000 if quick else 20_000
            with joblib.Parallel(n_jobs=WORKERS) as parallel:
                calls = [joblib.delayed(increment)(i) for i in range(tasks)]
                put("joblib.stream", repeated(1 if quick else 3, lambda: parallel(calls)) / tasks * 1e9, "ns")
    except ImportError:
        remark("missing: joblib is not installed (pip install joblib)")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("words", nargs="*", help="only figures whose names contain one of these")
    arguments = parser.parse_args()

    figures = {}
    remarks = []

    def wants(name):
        return not arguments.words or any(word in name for word in arguments.words)

    def put(name, value, unit):
        figures[name] = [value, unit]

    multiprocessing_pool(arguments.quick, wants, put, remarks.append)
    passing(arguments.quick, wants, put)
    executor(
        "futures",
        lambda: concurrent.futures.ProcessPoolExecutor(WORKERS, multiprocessing.get_context("fork")),
        arguments.quick,
        wants,
        put,
    )
    joblib_and_loky(arguments.quick, wants, put, remarks.append)
    version = ".".join(map(str, sys.version_info[:3]))
    json.dump({"python": version, "figures": figures, "remarks": remarks}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
