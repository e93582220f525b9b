"""Layers that go through a sequence step by step."""

from jkeras.layers.recurrent.gru import GRU, GRUCell
from jkeras.layers.recurrent.lstm import LSTM, LSTMCell
from jkeras.layers.recurrent.rnn import RNN
from jkeras.layers.recurrent.simple_rnn import SimpleRNN, SimpleRNNCell
from jkeras.layers.recurrent.stacked import StackedRNNCells

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "SimpleRNN", "SimpleRNNCell", "StackedRNNCells"]
