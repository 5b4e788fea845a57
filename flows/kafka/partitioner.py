"""Partitioner: the partition of a key, as Kafka's Java client and librdkafka's `murmur2` choose it."""

SEED = 0x9747B28C
M = 0x5BD1E995
WORD = 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """The 32 bit hash, unsigned.

    Source: org.apache.kafka.common.utils.Utils.murmur2, vectors of its own tests (UtilsTest, signed there).

    >>> murmur2(b"21") - 2**32, murmur2(b"foobar") - 2**32, murmur2(b"abc")
    (-973932308, -790332482, 479470107)
    """
    h = SEED ^ len(key)
    whole = len(key) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at : at + 4], "little") * M & WORD
        k = (k ^ k >> 24) * M & WORD
        h = h * M & WORD ^ k
    if rest := key[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * M & WORD
    h = (h ^ h >> 13) * M & WORD
    return h ^ h >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """Where a record with this key goes.

    >>> partition_of(b"foobar", 6), partition_of(b"BTC", 8)
    (0, 2)
    """
    return (murmur2(key) & 0x7FFFFFFF) % partitions
