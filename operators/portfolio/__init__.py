"""Portfolio risk: margin, liquidation price, tail losses."""
