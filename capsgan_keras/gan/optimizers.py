"""Two players' optimizers behind the one that Keras knows."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from capsgan_keras.checks import check_bool, check_choice, check_positive

PLAYERS = ("generator", "discriminator")
FINAL_SHARE = 0.05
"""Of the learning rates, where they fall."""
OptimizerPair = tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]
"""The generator's optimizer and the discriminator's."""


def dcgan_adams(generator_rate: float, discriminator_rate: float) -> OptimizerPair:
    """Return both players' Adam as the DCGAN guidelines set it (Radford et al., arXiv 1511.06434).

    They are called after the players, since TensorBoard names their rates by their names.
    """
    adams = [
        keras.optimizers.Adam(rate, beta_1=0.5, name=f"adam_{player}")
        for player, rate in zip(PLAYERS, (generator_rate, discriminator_rate), strict=True)
    ]
    return adams[0], adams[1]


def falling_rate(
    rate: float, decay: float, steps: int | None, time_decay: float = 0.0
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return a rate that stays, or a schedule by which it falls.

    Args:
        rate: The first rate.
        decay: Share of the steps, at the end, in which it falls along a cosine.
        steps: Of the whole run.
        time_decay: It is divided by 1 plus this times the steps done (Keras 1 and 2 called it
            `decay`); not together with `decay`.
    """
    if time_decay and decay:
        raise ValueError(
            f"`decay` and `time_decay` exclude each other. Received: decay={decay}, "
            f"time_decay={time_decay}"
        )
    if time_decay:
        return keras.optimizers.schedules.InverseTimeDecay(rate, 1, time_decay)
    falling = round(decay * (steps or 0))
    if not steps or not falling:
        return rate
    # Warming up from a rate to the same rate is Keras's way to hold it.
    return keras.optimizers.schedules.CosineDecay(
        rate, falling, alpha=FINAL_SHARE, warmup_target=rate, warmup_steps=steps - falling
    )


def learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    """Return an optimizer's learning rate as the shortest decimal that is the same in float32."""
    return float(str(np.float32(optimizer.learning_rate)))


def join_optimizers(
    players: OptimizerPair,
    generator_variables: Iterable[keras.Variable],
    with_loss_scale: bool,
) -> keras.optimizers.Optimizer:
    """Return one optimizer that updates each player's variables by that player's optimizer.

    Args:
        players: The two optimizers.
        generator_variables: The variables that belong to the generator; all others are the
            discriminator's.
        with_loss_scale: Whether losses are scaled, as float16 needs it.

    Raises:
        ValueError: Where both players share one optimizer, or `check_optimizer` raises one.
    """
    if players[0] is players[1]:
        raise ValueError(
            "`generator_optimizer` and `discriminator_optimizer` must be two instances, "
            f"since each holds the moments of its own player. Received: {players[0]} twice"
        )
    for player, optimizer in zip(PLAYERS, players, strict=True):
        check_optimizer(f"{player}_optimizer", optimizer)
    # By identity: the paths of a functional model's variables do not hold the model's name.
    generators = {id(variable) for variable in generator_variables}

    def player_of(variable: keras.Variable) -> keras.optimizers.Optimizer:
        return players[id(variable) not in generators]

    optimizer = keras.optimizers.MultiOptimizer(player_of)
    return keras.optimizers.LossScaleOptimizer(optimizer) if with_loss_scale else optimizer


def given_or_default(given: tuple[Any, Any], defaults: OptimizerPair) -> OptimizerPair:
    """Return both players' optimizers as objects.

    Args:
        given: The generator's and the discriminator's: an optimizer or its name, or None for the
            default.
        defaults: The defaults.

    Raises:
        ValueError: Where Keras knows no such optimizer.
    """
    found = []
    for player, optimizer, default in zip(PLAYERS, given, defaults, strict=True):
        try:
            found.append(default if optimizer is None else keras.optimizers.get(optimizer))
        except (KeyError, TypeError, ValueError) as error:
            name = f"{player}_optimizer"
            raise ValueError(
                f"`{name}` must be a Keras optimizer or its name. Received: {name}={optimizer!r}"
            ) from error
    return found[0], found[1]


def check_optimizer(name: str, optimizer: keras.optimizers.Optimizer) -> None:
    """Raise a `ValueError` unless one player can be trained with an optimizer.

    Args:
        name: The argument's name, for the message.
        optimizer: What it was given.

    Raises:
        ValueError: On an optimizer of optimizers, which a GAN has itself, and on a learning rate
            that is negative or not finite. Of a schedule the first rate is looked at.
    """
    wrappers = (keras.optimizers.LossScaleOptimizer, keras.optimizers.MultiOptimizer)
    if isinstance(optimizer, wrappers):
        raise ValueError(
            f"`{name}` must be a plain optimizer: a GAN joins both players' optimizers, and scales "
            f"losses under float16 by itself. Received: {name} of type {type(optimizer).__name__}"
        )
    rate = learning_rate(optimizer)
    if not 0.0 <= rate < math.inf:
        raise ValueError(
            f"`{name}` must have a learning rate that is finite and at least 0. "
            f"Received: learning_rate={rate}"
        )


def check_compile(update: str, float16: bool, options: Mapping[str, Any]) -> None:
    """Raise a `ValueError` where `compile` was given what means nothing.

    Args:
        update: Must be known, and possible where float16 is used or not.
        float16: Whether the networks compute in it.
        options: `run_eagerly`, `steps_per_execution` and `jit_compile`.
    """
    check_choice("update", update, ("simultaneous", "alternating"))
    if float16 and update == "alternating":
        raise ValueError(
            "Alternating updates are not supported under float16, where both losses share "
            "one loss scale: use update='simultaneous' or the policy 'mixed_bfloat16'. "
            f"Received: update={update!r}"
        )
    check_bool(run_eagerly=options["run_eagerly"])
    check_positive(steps_per_execution=options["steps_per_execution"])
    check_choice("jit_compile", options["jit_compile"], (True, False, "auto"))
