"""Colours of the place: sky, ground, buildings, barriers, street furniture, plants."""

from __future__ import annotations

from segfrontier.scenes.street.materials import Material as M
from segfrontier.scenes.street.materials import Tile as T
from segfrontier.scenes.street.swatch import Swatch

_WALLS_CITY = "a89c86 8f8a82 8c6654 b5ac9c 77726c a3917a c0b8a8 84807e 9a7668 6f6a66"
_WALLS_GAME = "e8cf9a b9c4d2 c8674a f0e6d2 8894ac e0a868 f6f2ea a8c0b4 d88a70 7c86a0"
_PANES_CITY = "3a3e42 2e3236 34383c 4a5054 2a2e30 3e4246 44484c 30363a 383c3e 26282a"
_PANES_GAME = "38587c 2c4a70 3c6088 4a7098 2a4468 36547a 587ea4 34587c 406890 284064"


def _pairs(first: str, second: str) -> str:
    return " ".join(f"{a}/{b}" for a, b in zip(first.split(), second.split(), strict=True))


_FACADE_CITY, _FACADE_GAME = _pairs(_WALLS_CITY, _PANES_CITY), _pairs(_WALLS_GAME, _PANES_GAME)
_WORN_CITY = _pairs(_WALLS_CITY, "8e8370 76726b 745445 988f80 625e59 8a7a66 a29a8b 6d6a68 80604f 5b5754")
_WORN_GAME = _pairs(_WALLS_GAME, "dcc28c aeb9c8 bb5c40 e6dac4 7c88a0 d49c5c ece8de 9cb4a8 cc7e64 707a94")

# fmt: off
PLACES: dict[M, Swatch] = {
    M.SKY: Swatch(
        T.CLOUDS, 2600, 1500, 0.04,
        "c6ced8/eceff2 dfe2e6/f2f3f4 a9bdd6/e6eaee b8c0c8/d6dadd",
        "4f9cf0/ffffff 62aaf4/fdfdff 3f8ce8/f4f8ff 78b6f0/ffffff",
    ),
    M.ASPHALT: Swatch(
        T.GRAIN, 4, 4, 0.13,
        "68655f/87837c 77746e/93908a 5c5a57/777471 827d75/9d988f",
        "4a4e58/585c68 545863/626672 434752/50545f 5c5f68/6a6e78",
    ),
    M.PATCH: Swatch(
        T.GRAIN, 3, 3, 0.12,
        "4f4d4a/666360 5a5855/72706c 8a867e/a09c94", "3c404a/484c58 444854/50545e 60646e/6c707a",
    ),
    M.MARKING: Swatch(
        T.WORN, 2, 2, 0.06, "d2cfc8/8d8a84 c2beb6/8a867f", "ffffff/e8ecf2 fdfdf6/e6eaee",
    ),
    M.COBBLE: Swatch(
        T.BRICKS, 1.6, 1.6, 0.1, "77726a/57534d 857d72/625b52", "8a6f60/6c5448 948070/76624f",
    ),
    M.PAVING: Swatch(
        T.SLABS, 2.4, 2.4, 0.11,
        "8f8a83/6e6a64 a09a91/7d7871 7d7975/625f5b 9c8e80/7c7064",
        "c8b898/ac9c80 d4c6aa/b8aa8e bcb0a0/a09484 ccac90/b09074",
    ),
    M.KERB: Swatch(
        T.WORN, 2, 2, 0.08, "a6a29a/8a867f 98948d/7f7b75", "e0dccc/d0ccba d8d4c8/c8c4b6",
    ),
    M.BIKE_LANE: Swatch(
        T.GRAIN, 3, 3, 0.1, "7d5a50/936b5f 8a6258/9c7468", "b8483c/c45448 c05040/cc5c4c",
    ),
    M.RAIL: Swatch(
        T.WORN, 3, 3, 0.1, "6a6764/8c8986 5a5755/7c7976", "7c828c/9ca2ac 6c727c/8c929c",
    ),
    M.GRASS: Swatch(
        T.GRASS, 2.2, 2.2, 0.14,
        "61723f/7f8f52 737c47/8f975e 506837/6b854a 878955/a3a26b",
        "69a33d/89c250 7aae45/99ca5c 599735/78b648 90b851/acd069",
    ),
    M.SOIL: Swatch(
        T.GRAIN, 3, 3, 0.12,
        "7f7361/978a76 8d8270/a59a86 6f6556/867b6b", "c09c64/d4b07a ccaa74/e0be88 b08c58/c49e6c",
    ),
    M.FACADE_TALL: Swatch(
        T.WINDOWS_TALL, 5.2, 6.4, 0.09, _FACADE_CITY, _FACADE_GAME,
    ),
    M.FACADE_WIDE: Swatch(
        T.WINDOWS_WIDE, 6.8, 6.4, 0.09, _FACADE_CITY, _FACADE_GAME,
    ),
    M.FACADE_SMALL: Swatch(
        T.WINDOWS_SMALL, 6.0, 6.4, 0.09, _FACADE_CITY, _FACADE_GAME,
    ),
    M.FACADE_GLASS: Swatch(
        T.WINDOWS_GLASS, 4.4, 6.4, 0.08, _FACADE_CITY, _FACADE_GAME,
    ),
    M.FACADE_OLD: Swatch(
        T.WINDOWS_OLD, 4.8, 6.4, 0.09, _FACADE_CITY, _FACADE_GAME,
    ),
    M.PLASTER: Swatch(
        T.STUCCO, 7, 7, 0.09, _WORN_CITY, _WORN_GAME,
    ),
    M.ROOF: Swatch(
        T.ROOF_TILES, 2.5, 2.5, 0.1,
        "6a4a40/4e382f 55504c/3f3b38 7a5648/5c4238", "c0503c/983c2c 5c6478/464e60 cc6448/a84c34",
    ),
    M.SHOP: Swatch(
        T.SHOPFRONT, 5, 3.3, 0.1,
        "4c4844/24262a 5e544a/2c2e30 3e4a50/22262c 6a4a42/282828 706a60/303234",
        "d84c3c/24405c 3c7cc8/203c58 e8a830/284460 48a060/24405c f0e8dc/30506c",
    ),
    M.AWNING: Swatch(
        T.STRIPES, 1.2, 4, 0.1,
        "7a3c34/8e8478 4a5648/86827a 5a5e68/8c8a86 8e8472/a29a8c",
        "e03c34/ffffff 2c9c58/ffffff 2c6cd8/f8f8ff f0b030/fffff0",
    ),
    M.TRIM: Swatch(
        T.STUCCO, 5, 5, 0.08,
        "9c968a/857f75 b0aa9e/979185 78746e/65615c", "f4ecdc/e4dccc ffffff/eeeeee b0bccc/a0acbc",
    ),
    M.DOOR: Swatch(
        T.PLANKS, 2, 2, 0.1,
        "4a3c32/382e26 3a4044/2c3236 56524c/403d38", "9c5c2c/7c4820 2c6c9c/20547c 406848/305038",
    ),
    M.STONE_WALL: Swatch(
        T.BRICKS, 2.4, 1.8, 0.1,
        "8a8274/665f54 777068/57524b 9a9080/756c5e", "b8a488/8c7a60 a09484/786c5c c8b898/9c8c6c",
    ),
    M.BRICK_WALL: Swatch(
        T.BRICKS, 1.3, 1.0, 0.1,
        "7f5748/5f4438 8c6654/6a4d40 6e5146/533d35", "c46044/9c4830 d07858/a85c40 b0543c/8c402c",
    ),
    M.CONCRETE_WALL: Swatch(
        T.STUCCO, 5, 3, 0.1,
        "918d86/7a766f a39e95/8b867e 7d7a75/686561", "d0d0c8/bcbcb4 dcd8cc/c8c4b8 b4b8c0/a0a4ac",
    ),
    M.COPING: Swatch(
        T.WORN, 2, 2, 0.08, "9d988e/827d74 88847c/706c66", "e4e0d4/d4d0c4 d0d4d8/c0c4c8",
    ),
    M.FENCE_BARS: Swatch(
        T.BARS, 1.5, 2.2, 0.1,
        "5c6252/2c2e2c 6a665e/34363a 4e5748/3c4038 7d7a74/5a5a58",
        "7cb06c/24282c b8c0c8/2c3038 68a058/f0f0f0 a8a090/3c4c5c",
    ),
    M.FENCE_MESH: Swatch(
        T.MESH, 0.9, 0.9, 0.1,
        "5a604e/787a74 6e6a60/85837d 4c5444/6a6e66", "74a85c/b0b8bc b4a888/c4c8c8 609850/a0a8ac",
    ),
    M.FENCE_PLANKS: Swatch(
        T.PLANKS, 1.6, 1.6, 0.12,
        "75624e/554637 857663/63574a 5d564e/454039 8e8a82/6f6b64",
        "b8824c/8c6034 d0a068/a47c48 8c6c50/6c503c f4f0e8/d0ccc0",
    ),
    M.FENCE_POST: Swatch(
        T.PLAIN, 1, 1, 0.1, "4a4a46 6a645a 7d7a75", "30343c 9c7444 e8e8e8",
    ),
    M.POLE: Swatch(
        T.STUCCO, 1, 1.5, 0.12,
        "5f605e/747572 7a7a77/8e8e8a 464846/5a5c5a 92908b/a5a39e",
        "8c98a4/9ca8b4 a8b0b8/b8c0c8 384450/485460 2c5c48/3c6c58",
    ),
    M.WOOD_POLE: Swatch(
        T.STUCCO, 0.5, 1.5, 0.1, "5d5044/6f6154 6b5f52/7d7063", "8c6440/a07850 98704c/ac845c",
    ),
    M.LAMP_GLASS: Swatch(
        T.PLAIN, 1, 1, 0.06, "b5b4ae 8f8f8b", "f8f4e0 d8e0e8",
    ),
    M.HOUSING: Swatch(
        T.PLAIN, 1, 1, 0.1, "262826 343634 4a4a30", "1c2024 283038 e0b020",
    ),
    M.RED_LIT: Swatch(
        T.PLAIN, 1, 1, 0.04, "f2503c", "ff2020",
    ),
    M.AMBER_LIT: Swatch(
        T.PLAIN, 1, 1, 0.04, "f0aa3c", "ffb400",
    ),
    M.GREEN_LIT: Swatch(
        T.PLAIN, 1, 1, 0.04, "5ce0b0", "20f060",
    ),
    M.UNLIT: Swatch(
        T.PLAIN, 1, 1, 0.1, "3c3230", "403838",
    ),
    M.SIGN_RIM: Swatch(
        T.PLAIN, 1, 1, 0.06, "b03a34 2f5590 c2bfb8 b8962e a63630", "f01c1c 1868f0 ffffff ffc400 e82020",
    ),
    M.SIGN_FACE: Swatch(
        T.PLAIN, 1, 1, 0.06, "d0cec8 d6d4ce 33343a 2e2f33 b8b4a6", "ffffff ffffff 101828 202020 fff8d8",
    ),
    M.SIGN_GUIDE: Swatch(
        T.PLAIN, 1, 1, 0.06, "33588a 3a6a52 c8b04a", "1060e0 109850 ffd820",
    ),
    M.TRUNK: Swatch(
        T.STUCCO, 0.8, 1.2, 0.12,
        "4d453c/62594e 5c564e/716a61 3c3731/4e4841", "6c4828/845c38 785438/906848 583c20/704c30",
    ),
    M.LEAVES_DARK: Swatch(
        T.LEAVES, 1.7, 1.7, 0.12,
        "263a20/445f31 2e3f21/4e6635 203522/3a5834 2b4421/4a6a35 43441f/656433",
        "1d5926/358039 276328/418e3d 175029/2d753a 296a26/43923a 476d20/679331",
    ),
    M.LEAVES: Swatch(
        T.LEAVES, 1.5, 1.5, 0.12,
        "304a27/608042 3a512a/698446 28462b/527447 37552a/678b47 585826/898344",
        "277b30/54ac4c 338231/60b350 1f743d/45a05d 358a31/62bb50 618d28/8eb944",
    ),
    M.LEAVES_LIT: Swatch(
        T.LEAVES, 1.3, 1.3, 0.12,
        "496636/839e5c 546b3c/8b9f60 405f3d/759660 51703c/8aa85f 777138/aa9f59",
        "459d3d/7ecf65 54a442/89d269 3a9251/6cc47d 56a845/8cd768 80ab38/b1d85b",
    ),
    M.HEDGE: Swatch(
        T.LEAVES, 1.1, 1.1, 0.12,
        "304629/4c663b 394c31/556a47 284029/435e3f",
        "2d7734/499748 357b33/519b4b 226c3d/3b8c55",
    ),
}
# fmt: on
