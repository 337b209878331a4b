package shop

// buildOperations says what each service does: this is the shop.
func (s *Shop) buildOperations() {
	b := &builder{s}

	// Stores.
	selectProduct := b.database("catalogue", "SELECT", "products", "SELECT id, name, description, picture, price_cents, categories FROM products WHERE id = $1", 1.8, .5, fieldRows)
	selectList := b.database("catalogue", "SELECT", "products", "SELECT p.id, p.name, p.price_cents FROM products p JOIN product_categories c ON c.product_id = p.id WHERE c.category = $1 ORDER BY p.rank LIMIT 24", 4.5, .6, fieldRows)
	searchProducts := b.database("catalogue", "SELECT", "products", "SELECT id, name, price_cents, ts_rank(document, plainto_tsquery($1)) AS rank FROM products WHERE document @@ plainto_tsquery($1) ORDER BY rank DESC LIMIT 20", 14, .8, fieldRows)
	selectCard := b.database("payments", "SELECT", "payment_methods", "SELECT token, brand, expiry FROM payment_methods WHERE user_id = $1 AND active", 2.1, .5, fieldRows)
	insertPayment := b.database("payments", "INSERT", "transactions", "INSERT INTO transactions (id, order_id, user_id, amount_cents, currency, state) VALUES ($1, $2, $3, $4, $5, $6)", 3.4, .5)
	insertOrder := b.database("orders", "INSERT", "orders", "INSERT INTO orders (id, user_id, total_cents, currency, address, placed_at) VALUES ($1, $2, $3, $4, $5, now()) RETURNING id", 3.9, .5)
	selectStock := b.database("inventory", "SELECT", "stock", "SELECT sku, available, reserved FROM stock WHERE sku = $1", 1.4, .5, fieldRows)
	updateStock := b.database("inventory", "UPDATE", "stock", "UPDATE stock SET reserved = reserved + $2, version = version + 1 WHERE sku = $1 AND available - reserved >= $2", 2.8, .6)
	getCart := b.cache("HGETALL", "HGETALL cart:?", .5, fieldHit)
	setCart := b.cache("HSET", "HSET cart:? ? ?", .6)
	deleteCart := b.cache("DEL", "DEL cart:?", .4)
	getProduct := b.cache("GET", "GET product:?", .35, fieldHit)
	s.paymentDatabase = []*operation{selectCard, insertPayment}
	s.diskWrites = []*operation{insertPayment, insertOrder, updateStock}

	// Currency, shipping, inventory, advertisements.
	convert := b.grpc("currency", "currency.v1.CurrencyService", "Convert", .4, .4, []field{fieldCurrency, fieldPeer}).
		says(severityDebug, .08, "[trace] convert EUR -> {currency} amount={amount}", at("/src/currency/server.cpp", "CurrencyService::Convert", 141))
	quote := b.grpc("shipping", "shipping.v1.ShippingService", "GetQuote", 1.6, .4, []field{fieldItems, fieldCountry, fieldPeer}).
		says(severityInfo, .5, "quote computed country={country} items={items} took_ms={ms}", at("src/quote.rs", "shipping::quote::create_quote", 58), fieldCountry)
	ship := b.grpc("shipping", "shipping.v1.ShippingService", "ShipOrder", 5, .5, []field{fieldOrder, fieldTracking, fieldPeer},
		once(b.external("POST", "api.parcels.example.net", "/v2/shipments", 48, .45))).
		fails(.004, shippingRefused).
		says(severityInfo, 1, "shipment created order={order} tracking={tracking} country={country}", at("src/ship.rs", "shipping::ship::ship_order", 112), fieldOrder, fieldTracking)
	stock := b.grpc("inventory", "inventory.v1.InventoryService", "GetStock", 1.1, .4, []field{fieldProduct, fieldPeer}, once(selectStock)).
		says(severityDebug, .1, "Stock level of {product} is {stock}", at("InventoryService.java", "shop.inventory.InventoryService.getStock", 87), fieldThread).
		says(severityWarn, .006, "Stock of {product} is low: {stock} left, reorder point is 25", at("InventoryService.java", "shop.inventory.InventoryService.getStock", 93), fieldProduct, fieldThread)
	reserve := b.grpc("inventory", "inventory.v1.InventoryService", "Reserve", 2.3, .5, []field{fieldProduct, fieldItems, fieldPeer}, once(selectStock), once(updateStock)).
		fails(.006, outOfStock).
		says(severityInfo, 1, "Reserved {items} items for order {order}", at("ReservationService.java", "shop.inventory.ReservationService.reserve", 64), fieldOrder, fieldThread)
	ads := b.grpc("ad", "ad.v1.AdService", "GetAds", 2.2, .5, []field{fieldCategory, fieldPeer}).
		fails(.002, adUnavailable).
		says(severityInfo, .25, "Targeted ad request received for category {category}", at("AdService.java", "shop.ad.AdService.getAds", 171), fieldSession, fieldThread)

	// Catalogue and recommendation.
	product := b.grpc("catalogue", "catalogue.v1.CatalogueService", "GetProduct", .8, .4, []field{fieldProduct, fieldPeer}, once(getProduct), maybe(.22, selectProduct)).
		fails(.0015, productMissing).
		says(severityInfo, .2, `product found product_id={product} cache_hit={hit} duration_ms={ms}`, at("internal/catalogue/product.go", "catalogue.(*Server).GetProduct", 203), fieldProduct)
	list := b.grpc("catalogue", "catalogue.v1.CatalogueService", "ListProducts", 1.7, .4, []field{fieldCategory, fieldPeer}, once(selectList)).
		says(severityDebug, .2, `listed products category={category} rows={rows}`, at("internal/catalogue/list.go", "catalogue.(*Server).ListProducts", 77), fieldCategory)
	search := b.grpc("catalogue", "catalogue.v1.CatalogueService", "SearchProducts", 2.5, .5, []field{fieldSearch, fieldPeer}, once(searchProducts)).
		fails(.001, databaseTimeout).
		says(severityInfo, 1, `search finished text="{search}" rows={rows} duration_ms={ms}`, at("internal/catalogue/search.go", "catalogue.(*Server).SearchProducts", 121), fieldSearch, fieldSession)
	recommend := b.grpc("recommendation", "recommendation.v1.RecommendationService", "ListRecommendations", 7, .5, []field{fieldUser, fieldPeer}, once(list)).
		fails(.0015, modelMissing).
		says(severityInfo, .4, "Receive ListRecommendations for product ids:['{product}'] user={user}", at("/app/recommendation_server.py", "ListRecommendations", 92), fieldUser)
	s.recommend = recommend

	// Cart, payment.
	cart := b.grpc("cart", "cart.v1.CartService", "GetCart", .9, .4, []field{fieldUser, fieldItems, fieldPeer}, once(getCart)).
		says(severityInfo, .3, "GetCartAsync called with userId={user}", at("/app/src/services/CartService.cs", "Shop.Cart.Services.CartService.GetCart", 71), fieldUser)
	addItem := b.grpc("cart", "cart.v1.CartService", "AddItem", 1.2, .4, []field{fieldUser, fieldProduct, fieldPeer}, once(getCart), once(setCart)).
		says(severityInfo, 1, "AddItemAsync called with userId={user}, productId={product}, quantity={items}", at("/app/src/services/CartService.cs", "Shop.Cart.Services.CartService.AddItem", 44), fieldUser, fieldProduct)
	emptyCart := b.grpc("cart", "cart.v1.CartService", "EmptyCart", .8, .4, []field{fieldUser, fieldPeer}, once(deleteCart)).
		says(severityInfo, 1, "EmptyCartAsync called with userId={user}", at("/app/src/services/CartService.cs", "Shop.Cart.Services.CartService.EmptyCart", 97), fieldUser)
	charge := b.grpc("payment", "payment.v1.PaymentService", "Charge", 4.5, .5, []field{fieldOrder, fieldAmount, fieldCurrency, fieldCard, fieldPeer},
		once(selectCard), once(b.external("POST", "psp.example.org", "/v1/charges", 110, .5)), once(insertPayment)).
		fails(.012, cardDeclined).
		begins(severityInfo, 1, "Charge request received: order={order} amount={amount} {currency}", at("PaymentService.java", "shop.payment.PaymentService.charge", 58), fieldOrder, fieldThread).
		says(severityInfo, 1, "Transaction processed: order={order} card={card} amount={amount} {currency} in {ms} ms", at("PaymentService.java", "shop.payment.PaymentService.charge", 103), fieldOrder, fieldAmount, fieldThread)

	// Checkout and its consumers.
	s.email = b.consume("email", "orders", 9, .5, once(b.external("POST", "smtp-relay.example.com", "/send", 65, .6))).
		fails(.004, mailRefused).
		says(severityInfo, 1, "Order confirmation email sent to: {user}@mail.example order={order}", at("/email_server/email_server.rb", "send_email", 48), fieldOrder)
	b.consume("inventory", "orders", 3, .5, once(updateStock)).
		says(severityInfo, 1, "Picked order {order} from partition {partition} at offset {offset}", at("OrderListener.java", "shop.inventory.OrderListener.onMessage", 39), fieldOrder, fieldThread)
	order := b.grpc("checkout", "checkout.v1.CheckoutService", "PlaceOrder", 3.8, .45, []field{fieldUser, fieldOrder, fieldAmount, fieldCurrency, fieldItems, fieldPeer},
		once(cart), upTo(4, product), once(quote), upTo(2, convert), once(reserve), once(charge), once(insertOrder), once(ship), once(emptyCart), once(b.publish("orders"))).
		fails(.001, checkoutBroken).
		begins(severityInfo, 1, `[PlaceOrder] user_id="{user}" user_currency="{currency}"`, at("main.go", "main.(*checkout).PlaceOrder", 317), fieldUser, fieldSession).
		says(severityInfo, 1, `order placed order_id={order} amount={amount} items={items} duration_ms={ms}`, at("main.go", "main.(*checkout).PlaceOrder", 402), fieldOrder, fieldAmount)
	s.placeOrder = order

	// Front end: what a page needs.
	page := b.internal("render page", 3.2, .45)
	access := `{{"level":30,"msg":"request completed","path":"{path}","statusCode":{status},"responseTime":{ms},"session":"{session}"}`
	fields := []field{fieldPath, fieldQuery, fieldClient, fieldAgent, fieldSession, fieldPeer}
	pages := []struct {
		method, route string
		weight, ms    float64
		size          float64
		steps         []step
	}{
		{"GET", "/", 18, 2.4, 9800, []step{alongside(1, ads), alongside(.8, convert), once(list), optional(.7, recommend), once(page)}},
		{"GET", "/product/{id}", 34, 2.1, 7400, []step{once(product), alongside(.8, ads), alongside(.6, stock), upTo(2, convert), optional(.85, recommend), once(page)}},
		{"GET", "/category/{name}", 14, 1.9, 12100, []step{once(list), upTo(2, convert), alongside(.6, ads), once(page)}},
		{"GET", "/search", 9, 1.8, 8200, []step{once(search), upTo(2, convert), once(page)}},
		{"GET", "/cart", 9, 1.7, 5100, []step{once(cart), upTo(3, product), once(quote), once(convert), optional(.5, recommend), once(page)}},
		{"POST", "/cart", 8, 1.5, 310, []step{once(product), once(addItem)}},
		{"POST", "/cart/checkout", 3.4, 2.2, 2900, []step{once(order), once(page)}},
		{"GET", "/api/currencies", 4.6, .9, 640, []step{once(convert)}},
	}
	var weights []float64
	for _, p := range pages {
		front := b.http("frontend", p.method, p.route, p.ms, .4, fields, p.steps...).
			says(severityInfo, .7, access, nil, fieldPath, fieldStatus)
		s.addRoute(b, &weights, p.method, p.route, p.weight, p.size, front)
	}
	missing := b.http("frontend", "GET", "/*", .7, .4, fields).fails(1, noRoute)
	s.addRoute(b, &weights, "GET", "/*", 1.1, 1180, missing)
	s.routePopularity = newPopularity(weights)

	// What a scan reaches: the front end refuses most of it, a little gets as
	// far as the database.
	refuse := b.http("frontend", "GET", "/product/{id}", .8, .4, fields).fails(1, badRequest)
	leak := b.http("frontend", "GET", "/product/{id}", 1.4, .4, fields, once(b.grpc("catalogue", "catalogue.v1.CatalogueService", "FindProduct", 1.1, .4, []field{fieldPeer},
		once(b.database("catalogue", "SELECT", "products", "SELECT id, name FROM products WHERE legacy_id = '?'", 2, .5))).fails(1, sqlSyntax)))
	var ignored []float64
	s.scanRefused = s.addRoute(b, &ignored, "GET", "/product/{id}", 0, 620, refuse)
	s.scanBroken = s.addRoute(b, &ignored, "GET", "/product/{id}", 0, 1340, leak)
	s.routes = s.routes[:len(weights)]
}

// route is a way into the shop through a web server.
type route struct {
	method, pattern string
	entry           *operation // of nginx
	size            float64    // median of the response
}

func (s *Shop) addRoute(b *builder, weights *[]float64, method, pattern string, weight, size float64, front *operation) *route {
	entry := b.http("nginx", method, pattern, .25, .5, []field{fieldPath, fieldQuery, fieldClient, fieldAgent}, once(front))
	r := &route{method: method, pattern: pattern, entry: entry, size: size}
	s.routes = append(s.routes, r)
	*weights = append(*weights, weight)
	return r
}
