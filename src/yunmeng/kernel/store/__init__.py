"""Storage 存: three ports (state, history, objects) and the engines behind them."""
