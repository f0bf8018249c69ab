"""Colours of what moves: people, cars, trucks, buses, trams, cycles."""

from __future__ import annotations

from segfrontier.scenes.street.materials import Material as M
from segfrontier.scenes.street.materials import Tile as T
from segfrontier.scenes.street.swatch import Swatch

# fmt: off
MOVERS: dict[M, Swatch] = {
    M.SKIN: Swatch(
        T.PLAIN, 1, 1, 0.14, "b98f78 a87c64 7a5642", "f4c09c e0a47c 98683c",
    ),
    M.HAIR: Swatch(
        T.PLAIN, 1, 1, 0.15, "2c2622 44382e 7d6a50 8a8782", "281c14 583820 d8a840 c83c20",
    ),
    M.TOP: Swatch(
        T.CLOTH, 0.8, 0.8, 0.16,
        "2b2d33/383a41 3d4350/4b5260 5a2f30/683b3b 6a6a66/787873 8c8474/9b9384 30392f/3d473c 24262a/2f3236 "
        "a8a49c/b8b4ac 494f5c/5a606c 7a5a3a/886848",
        "e83440/f04850 2c78e8/3c88f0 f0c820/f8d840 30b060/40c070 ffffff/f0f0f8 9c40c8/ac50d8 f07820/f88838 "
        "20c0c8/40d0d8 2c3c6c/3c4c7c e870a8/f080b8",
    ),
    M.TROUSERS: Swatch(
        T.CLOTH, 0.7, 1.0, 0.15,
        "25272c/31343a 333a49/414959 49443c/565148 1e1f22/2a2b2f 6b6558/797366",
        "2c4c9c/3c5cac 3c64b4/4c74c4 c8a870/d8b880 283040/384050 e0e0e8/f0f0f8",
    ),
    M.SHOES: Swatch(
        T.PLAIN, 1, 1, 0.15, "1e1d1c 3b332c 8a8884", "201c18 7c4c28 f8f8f8",
    ),
    M.BAG: Swatch(
        T.CLOTH, 0.5, 0.5, 0.14,
        "26282c/32353a 4a3f33/574b3e 57302f/643b3a 3a4452/47525f",
        "d83030/e84040 784820/885830 f0a020/f8b030 2060d0/3070e0",
    ),
    M.HELMET: Swatch(
        T.PLAIN, 1, 1, 0.1, "2a2b2e b0aea8 8a3a34 45525c", "202428 ffffff f03030 2c8cf0",
    ),
    M.CAR_PAINT: Swatch(
        T.STUCCO, 3, 2.5, 0.1,
        "25272a/3a3c40 b9bab8/cfd0ce 6c6f73/82858a 3e4248/555a61 8f9296/a6a9ad 2c3850/3f4c66 6a2a2a/803838 "
        "d2d2ce/e4e4e0 4c5046/62665b 7d776c/948d81 1d1e20/303236 54301f/6a4430",
        "d82028/f03840 f4f4f8/ffffff 2468d8/3c80f0 f0b418/ffcc38 30a048/48b860 a8b0bc/c0c8d4 e86820/ff8038 "
        "18b0b8/30c8d0 8030a8/9848c0 283038/404850 d83c80/f05498 3c4c8c/5464a4",
    ),
    M.CAR_GLASS: Swatch(
        T.STUCCO, 3, 1.4, 0.12,
        "22262a/3c4247 2c3034/495056 1c1f22/32373b", "284868/4c7498 30547c/5880a4 203c58/446888",
    ),
    M.DARK_TRIM: Swatch(
        T.PLAIN, 1, 1, 0.12, "1b1b1c 272728", "181c20 202428",
    ),
    M.HUB: Swatch(
        T.PLAIN, 1, 1, 0.12, "77787a 4c4d50", "c0c8d0 989ea8",
    ),
    M.HEADLAMP: Swatch(
        T.PLAIN, 1, 1, 0.06, "d4d4cf a9aaa8 f4f0e0", "f8fcff e8f0f8 fffff0",
    ),
    M.REAR_LAMP: Swatch(
        T.PLAIN, 1, 1, 0.08, "7c2a28 a8322c d8453a", "e01818 f02020 ff3c30",
    ),
    M.PLATE: Swatch(
        T.PLAIN, 1, 1, 0.05, "c4c2ba bda94e", "ffffff ffe860",
    ),
    M.TRUCK_PAINT: Swatch(
        T.STUCCO, 4, 3, 0.1,
        "8a8c8e/a0a2a4 3c4a60/505f78 7a3430/904440 c4c3be/d6d5d0 5c6046/72765a",
        "f07020/ff8838 2070e0/3888f8 e02828/f84040 ffffff/f0f4f8 58b038/70c850",
    ),
    M.CARGO: Swatch(
        T.RIBS, 2.4, 3, 0.1,
        "b4b2ac/9c9a95 8d8f92/777a7e 5c666e/4a545c a39474/8a7c5e c6c6c2/b0b0ac",
        "ffffff/e0e4ec b0c0d0/98a8b8 4080c0/3068a8 f0c860/d8b048 f8f8f0/e0e0d8",
    ),
    M.BUS_PAINT: Swatch(
        T.STUCCO, 5, 3, 0.09,
        "b8a04a/cbb560 8c3632/a04642 bcbcb6/d0d0ca 48586e/5c6e86 5c7060/708676",
        "ffc800/ffdc30 e82828/ff4040 ffffff/f4f4fc 2878f0/4090ff 28b878/40d090",
    ),
    M.COACH_STRIPE: Swatch(
        T.PLAIN, 1, 1, 0.1, "5a5d62 7c3430 3a4a66 b0aca2", "303848 e03030 2060e0 ffffff",
    ),
    M.COACH_GLASS: Swatch(
        T.MULLIONS, 3.0, 3.0, 0.1,
        "262a2e/4a4d50 1f2326/3c3f42 31363a/585c60", "284c70/506c88 20405f/486078 305880/587898",
    ),
    M.TRAM_PAINT: Swatch(
        T.STUCCO, 6, 3, 0.09,
        "b7a65c/c9b972 a5a7a8/b8babb 7c3030/904040 4f6b5a/648070 c0bcae/d2cec1",
        "ffe040/fff070 e0e8f0/f0f8ff d02840/e84058 20a070/38b888 fff4d8/fffcec",
    ),
    M.BOARD: Swatch(
        T.PLAIN, 1, 1, 0.08, "39352a 8f7a36 26282a", "202018 ffc020 101828",
    ),
    M.CYCLE_PAINT: Swatch(
        T.PLAIN, 1, 1, 0.15, "2a2b2d 5c2f2c 38465a 86878a 3c4a3e", "f02828 2080f0 f0d020 f0f0f8 20b860",
    ),
    M.ENGINE: Swatch(
        T.GRAIN, 0.6, 0.6, 0.12, "2e2f31/4a4b4d 3a3a3b/57575a", "303840/505860 404850/606870",
    ),
    M.CHROME: Swatch(
        T.PLAIN, 1, 1, 0.12, "85878a 5f6164", "d0d8e0 a8b0b8",
    ),
    M.SADDLE: Swatch(
        T.PLAIN, 1, 1, 0.12, "211f1e 43362b", "241c18 784820",
    ),
}
# fmt: on
