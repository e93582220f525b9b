"""Layers that go through a sequence step by step."""

from jkeras.layers.recurrent.bidirectional import Bidirectional
from jkeras.layers.recurrent.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from jkeras.layers.recurrent.gru import GRU, GRUCell
from jkeras.layers.recurrent.lstm import LSTM, LSTMCell
from jkeras.layers.recurrent.rnn import RNN
from jkeras.layers.recurrent.simple_rnn import SimpleRNN, SimpleRNNCell
from jkeras.layers.recurrent.stacked import StackedRNNCells
from jkeras.layers.recurrent.time_distributed import TimeDistributed

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Bidirectional",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "GRUCell",
    "LSTMCell",
    "SimpleRNN",
    "SimpleRNNCell",
    "StackedRNNCells",
    "TimeDistributed",
]
