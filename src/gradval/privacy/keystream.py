"""Random bits that nobody can foresee without the key, and that the key repeats.

The bits are SHAKE-128 (FIPS 202) of the key and a running number, from Python's own `hashlib`: as
good as the key is secret, and without a dependency. A state is the key and that number, so a run
that is resumed goes on with the very next bits. With a public key (a seed) the same bits are merely
good random numbers.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

KEY_BYTES, _COUNT_BYTES = 32, 8
# Words of one call of the hash function: half a megabyte, which leaves its fixed cost behind.
_PIECE = 1 << 16


class KeyStream:
    """A stream of uniform 64-bit words.

    Args:
        key: 32 bytes. Streams with different keys are independent; the words are unforeseeable for
            those who do not have the key.

    Raises:
        ValueError: the key has another length.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
        self._key = key
        self._count = 0

    def words(self, count: int) -> Tensor:
        """The next words, int64 `(count,)` on the CPU, all 64 bits of each uniform.

        Words that were not asked for are not kept: two calls for 10 are not one for 20.
        """
        pieces = -(-count // _PIECE)
        numbers = range(self._count, self._count + pieces)
        self._count += pieces
        sizes = [min(_PIECE, count - i * _PIECE) for i in range(pieces)]
        # The hash function lets go of the interpreter, so threads help.
        workers = min(pieces, torch.get_num_threads())
        if workers < 2:
            content = bytearray().join(map(self._piece, numbers, sizes))
        else:
            # Made anew each time: threads that were started once do not survive a fork.
            with ThreadPoolExecutor(workers) as pool:
                content = bytearray().join(pool.map(self._piece, numbers, sizes))
        # Little-endian on every machine, so that a key means the same words everywhere.
        return torch.from_numpy(np.frombuffer(content, "<i8").astype(np.int64, copy=False))

    def _piece(self, number: int, count: int) -> bytes:
        block = self._key + number.to_bytes(_COUNT_BYTES, "little")
        return hashlib.shake_128(block).digest(8 * count)

    def bernoulli(self, count: int, rate: float) -> Tensor:
        """Independent coins, bool `(count,)`, each true with probability `rate`, to 2^-63.

        Args:
            count: how many.
            rate: in [0, 1].
        """
        if not 0 <= rate <= 1:
            raise ValueError(f"a rate must be in [0, 1], got {rate}")
        uniform = self.words(count).bitwise_and_((1 << 63) - 1)
        # A float64 times a power of two is an exact integer; 2^63 itself is not an int64.
        limit = int(rate * 2.0**63)
        return uniform < limit if limit < 1 << 63 else torch.ones(count, dtype=torch.bool)

    def get_state(self) -> Tensor:
        """Key and position, uint8 `(40,)`. From it all words, past and future, can be computed."""
        state = self._key + self._count.to_bytes(_COUNT_BYTES, "little")
        return torch.frombuffer(bytearray(state), dtype=torch.uint8)

    def set_state(self, state: Tensor) -> None:
        """Go on from what `get_state` returned.

        Raises:
            ValueError: it is not such a state.
        """
        if state.dtype != torch.uint8 or state.shape != (KEY_BYTES + _COUNT_BYTES,):
            raise ValueError(
                f"not the state of a key stream: {tuple(state.shape)} of {state.dtype}, where "
                f"{KEY_BYTES + _COUNT_BYTES} bytes belong"
            )
        content = state.cpu().numpy().tobytes()
        self._key = content[:KEY_BYTES]
        self._count = int.from_bytes(content[KEY_BYTES:], "little")


def derive_key(secret: bytes, *parts: str | int) -> bytes:
    """A key of 32 bytes that depends on the secret and every part.

    Args:
        secret: of any length; empty if the key need not be secret.
        parts: names and numbers; different lists give unrelated keys.
    """
    digest = hashlib.sha3_256()
    for part in (secret, *(repr(part).encode() for part in parts)):
        # With its length before it no part can run into the next.
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.digest()
