"""The train step on JAX, where state goes in and out of every function."""

import itertools

import jax
import keras

from capsgan_keras.training import adversarial


class AdversarialTrainer:
    """Overrides the steps of `keras.Model` on the JAX backend."""

    def train_step(self, state, data):
        """Update both players on one batch; return the logs and the new state."""
        groups = (
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        )
        real = self.real_images(data)
        return _stateless(
            lambda: adversarial.train_step(self, real, differentiate, apply_gradients),
            groups,
            state,
        )

    def test_step(self, state, data):
        """Score one batch; return the logs and the new state."""
        groups = (self.trainable_variables, self.non_trainable_variables, self.metrics_variables)
        real = self.real_images(data)
        return _stateless(lambda: adversarial.test_step(self, real), groups, state)


def _stateless(step, groups, state):
    """Call `step` with the variables in `groups` at the values of `state`."""
    mapping = list(zip(itertools.chain(*groups), itertools.chain(*state), strict=True))
    with keras.StatelessScope(state_mapping=mapping) as scope:
        logs = step()
    return logs, tuple([scope.get_current_value(v) for v in group] for group in groups)


def differentiate(gan, play, groups):
    """See `capsgan_keras.training.adversarial`."""
    wanted = [variable for group in groups for variable in group]
    held = {id(variable) for variable in wanted}
    # The optimizer's are among them for the scale of the losses under float16.
    others = [
        variable
        for variable in [*gan.variables, *gan.optimizer.variables]
        if id(variable) not in held
    ]
    other_values = [variable.value for variable in others]

    def pure(values):
        mapping = [*zip(wanted, values, strict=True), *zip(others, other_values, strict=True)]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            losses, outputs = play()
        return losses, (outputs, [scope.get_current_value(variable) for variable in others])

    values = [variable.value for variable in wanted]
    losses, pullback, (outputs, new_values) = jax.vjp(pure, values, has_aux=True)
    for variable, value in zip(others, new_values, strict=True):
        variable.assign(value)

    gradients, start = [], 0
    for index, group in enumerate(groups):
        seeds = [jax.numpy.zeros_like(loss) for loss in losses]
        seeds[index] = jax.numpy.ones_like(losses[index])
        (all_gradients,) = pullback(tuple(seeds))
        gradients.append(all_gradients[start : start + len(group)])
        start += len(group)
    return losses, outputs, gradients


def apply_gradients(gan, optimizer, gradients, variables):
    """See `capsgan_keras.training.adversarial`."""
    del gan
    new_values, new_optimizer_values = optimizer.stateless_apply(
        [variable.value for variable in optimizer.variables],
        gradients,
        [variable.value for variable in variables],
    )
    for variable, value in zip(variables, new_values, strict=True):
        variable.assign(value)
    for variable, value in zip(optimizer.variables, new_optimizer_values, strict=True):
        variable.assign(value)
